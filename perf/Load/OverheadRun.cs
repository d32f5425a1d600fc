using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Model;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Load;

/// <summary>What gateway, grains, the way there and back, and the store where there is one, add to what the engine takes; of requests one after the other.</summary>
/// <param name="Stored">Whether sessions are stored, and tokens before they are delivered.</param>
/// <param name="Requests">Requests measured.</param>
/// <param name="FirstP50">First chunk: from the request to its arrival at the client, less the engine's own time from the request to the first token; ms.</param>
/// <param name="FirstP99">The same, 99th percentile.</param>
/// <param name="LastP50">End: from the request to its arrival at the client, less the engine's own time from the request to the last token; ms.</param>
/// <param name="LastP99">The same, 99th percentile.</param>
/// <param name="GapP99">99th percentile of the time between two chunks of one token at the client, ms.</param>
internal sealed record OverheadResult(bool Stored, int Requests, double FirstP50, double FirstP99, double LastP50, double LastP99, double GapP99);

/// <summary>Measures what surrounds the engine, request by request: the engine tells its own times at the end of each.</summary>
internal sealed class OverheadRun(Uri address, ImageGptConfig config, bool stored)
{
    const int Warm = 40;
    const int Requests = 200;
    const int Prompt = 480;
    const int Tokens = 16;

    readonly Protocol.V1.ImageGpt.ImageGptClient _client = new(GrpcChannel.ForAddress(address));

    internal async Task<OverheadResult> MeasureAsync()
    {
        (var first, var last, var gaps) = (new List<double>(), new List<double>(), new List<double>());
        for (int request = -Warm; request < Requests; request++)
        {
            (double FirstToken, double End, double[] Gaps) one = await GenerateAsync(request + Warm);
            if (request >= 0)
            {
                first.Add(one.FirstToken);
                last.Add(one.End);
                gaps.AddRange(one.Gaps);
            }
        }

        double[][] sorted = [[.. first.Order()], [.. last.Order()], [.. gaps.Order()]];
        return new OverheadResult(
            stored,
            Requests,
            Statistics.Percentile(sorted[0], 50),
            Statistics.Percentile(sorted[0], 99),
            Statistics.Percentile(sorted[1], 50),
            Statistics.Percentile(sorted[1], 99),
            Statistics.Percentile(sorted[2], 99));
    }

    async Task<(double First, double End, double[] Gaps)> GenerateAsync(int seed)
    {
        var random = new Random(1); // one prompt: its keys and values are there after the first request, so the engine does little
        var request = new GenerateRequest
        {
            Prompt = new ImageInput { Tokens = new TokenGrid { Width = 32, Height = 32, Ids = { Enumerable.Range(0, Prompt).Select(_ => (uint)random.Next(config.VocabSize - 1)) } } },
            MaxNewTokens = Tokens,
            Sampling = new SamplingParameters { Seed = (ulong)seed },
            Stream = new StreamOptions { OmitRgb = true },
        };
        var arrivals = new List<long>();
        GenerationTimings? timings = null;
        long start = Stopwatch.GetTimestamp();
        using AsyncServerStreamingCall<GenerateEvent> call = _client.Generate(request);
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            if (call.ResponseStream.Current.Tokens is { Ids.Count: > 0 })
            {
                arrivals.Add(Stopwatch.GetTimestamp());
            }

            timings = call.ResponseStream.Current.Finished?.Timings ?? timings;
        }

        double whole = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        double engine = (timings!.Queue.ToTimeSpan() + timings.Prefill.ToTimeSpan() + timings.Decode.ToTimeSpan()).TotalMilliseconds;
        return (
            Stopwatch.GetElapsedTime(start, arrivals[0]).TotalMilliseconds - timings.FirstToken.ToTimeSpan().TotalMilliseconds,
            whole - engine,
            [.. arrivals.Zip(arrivals.Skip(1), (before, after) => Stopwatch.GetElapsedTime(before, after).TotalMilliseconds)]);
    }
}
