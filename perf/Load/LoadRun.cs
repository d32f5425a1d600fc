using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Model;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Load;

/// <summary>Tokens per second of some concurrent sessions, and how far that is from the machine's limit.</summary>
/// <param name="Sessions">Concurrent sessions.</param>
/// <param name="TokensPerSecond">All sessions together, while all of them decode; median of the rounds.</param>
/// <param name="MeanGap">Mean time between two tokens of a session, median over sessions, ms. (Tokens may arrive several at once.)</param>
/// <param name="FirstToken">Median time to the first token, ms.</param>
/// <param name="Ceiling">Tokens per second at the limits of this machine.</param>
internal sealed record DecodeResult(int Sessions, double TokensPerSecond, double MeanGap, double FirstToken, double Ceiling)
{
    public double Share => TokensPerSecond / Ceiling;
}

/// <summary>Images classified (pooled) per second.</summary>
/// <param name="Batch">Images per request.</param>
/// <param name="ImagesPerSecond">Median of the rounds.</param>
/// <param name="Ceiling">Images per second at the matrix rate.</param>
internal sealed record ImageResult(int Batch, double ImagesPerSecond, double Ceiling)
{
    public double Share => ImagesPerSecond / Ceiling;
}

/// <summary>Measures a served model through its gRPC gateway.</summary>
internal sealed class LoadRun(Uri address, ImageGptConfig config, Ceilings ceilings)
{
    const int Prompt = 480;
    const int WarmSessions = 4;
    const int WarmTokens = 32;
    static readonly TimeSpan WarmTime = TimeSpan.FromSeconds(8);

    readonly Protocol.V1.ImageGpt.ImageGptClient _client = new(GrpcChannel.ForAddress(address));

    /// <summary>Some sessions, until the silo's and this process's code is compiled for good.</summary>
    internal async Task WarmAsync()
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < WarmTime;)
            await RoundAsync(WarmSessions, WarmTokens);
    }

    /// <summary>Sessions behind one prompt of 480 tokens, which the engine prefills once, each making tokens of its own.</summary>
    internal async Task<DecodeResult> DecodeAsync(int sessions, int tokens, int rounds)
    {
        await RoundAsync(sessions, Math.Min(8, tokens));
        var results = new List<(double Rate, double Gap, double First)>();
        for (int i = 0; i < rounds; i++)
        {
            results.Add(await RoundAsync(sessions, tokens));
        }

        return new DecodeResult(sessions, Statistics.Median(results.Select(result => result.Rate)), Statistics.Median(results.Select(result => result.Gap)), Statistics.Median(results.Select(result => result.First)), ceilings.Decode(sessions, Prompt + (tokens / 2.0)));
    }

    /// <summary>Requests of one or more images, one after the other.</summary>
    internal async Task<ImageResult> EmbedAsync(int batch, int rounds)
    {
        var rates = new List<double>();
        for (int i = 0; i <= rounds; i++)
        {
            var request = new EmbedRequest { Layer = (uint)config.LayerCount };
            request.Images.AddRange(Enumerable.Range(0, batch).Select(k => Image((i * batch) + k, 1024)));
            var watch = Stopwatch.StartNew();
            await _client.EmbedAsync(request);
            if (i > 0)
            {
                rates.Add(batch / watch.Elapsed.TotalSeconds);
            }
        }

        return new ImageResult(batch, Statistics.Median(rates), ceilings.Prefill(config.PositionCount) / config.PositionCount);
    }

    async Task<(double Rate, double Gap, double First)> RoundAsync(int sessions, int tokens)
    {
        int seed = Random.Shared.Next();
        long[][] arrivals = await Task.WhenAll(Enumerable.Range(0, sessions).Select(i => StreamAsync(seed, i, tokens)));

        // Only while all of them decode: prefills and stragglers are not decode throughput.
        double[] gaps = [.. arrivals.Select(times => Stopwatch.GetElapsedTime(times[1], times[^1]).TotalMilliseconds / (times.Length - 2))];
        return (
            Statistics.Rate([.. arrivals.Select(times => times[1..])]),
            Statistics.Median(gaps),
            Statistics.Median(arrivals.Select(times => Stopwatch.GetElapsedTime(times[0], times[1]).TotalMilliseconds)));
    }

    /// <summary>Time of the request, then of each token.</summary>
    async Task<long[]> StreamAsync(int prompt, int seed, int tokens)
    {
        var request = new GenerateRequest
        {
            Prompt = Image(prompt, Prompt),
            MaxNewTokens = (uint)tokens,
            Sampling = new SamplingParameters { Seed = (ulong)seed },
            Stream = new StreamOptions { OmitRgb = true },
        };
        var arrivals = new List<long> { Stopwatch.GetTimestamp() };
        using AsyncServerStreamingCall<GenerateEvent> call = _client.Generate(request);
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            long now = Stopwatch.GetTimestamp();
            arrivals.AddRange(Enumerable.Repeat(now, call.ResponseStream.Current.Tokens?.Ids.Count ?? 0));
        }

        return arrivals.Count == tokens + 1 ? [.. arrivals] : throw new InvalidOperationException($"{arrivals.Count - 1} tokens came, not {tokens}");
    }

    /// <summary>A random image or its beginning.</summary>
    ImageInput Image(int seed, int tokens)
    {
        var random = new Random(seed);
        return new ImageInput
        {
            Tokens = new TokenGrid { Width = 32, Height = 32, Ids = { Enumerable.Range(0, tokens).Select(_ => (uint)random.Next(config.VocabSize - 1)) } },
        };
    }
}
