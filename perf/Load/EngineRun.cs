using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Model;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>Decoding by the engine in this process: no gRPC, no grains.</summary>
/// <param name="Sessions">Sequences at once.</param>
/// <param name="Lengths">"even", all at position 480 at first, or "ragged", spread evenly from 256 to 704.</param>
/// <param name="TokensPerSecond">All sequences together, while all of them decode; median of the rounds.</param>
/// <param name="GapP50">Median time between two tokens of a sequence, ms.</param>
/// <param name="GapP99">The same, 99th percentile.</param>
/// <param name="Ceiling">Tokens per second at the limits of this machine.</param>
internal sealed record EngineResult(int Sessions, string Lengths, double TokensPerSecond, double GapP50, double GapP99, double Ceiling)
{
    public double Share => TokensPerSecond / Ceiling;
}

/// <summary>Measures the engine in this process.</summary>
internal sealed class EngineRun(Func<IModelRunner> createRunner, Ceilings ceilings)
{
    const int Prompt = 480;
    const int Spread = 224; // either way, ragged

    /// <summary>Some sequences, each behind a prompt of its own, making tokens together.</summary>
    internal async Task<EngineResult[]> MeasureAsync(int[] sessions, int tokens, int rounds)
    {
        var options = new EngineOptions { MaxBatchTokens = 512 };
        await using var loop = new EngineLoop(options, createRunner, TimeProvider.System, NullLogger.Instance);
        await loop.StartAsync();
        var results = new List<EngineResult>();
        foreach (int count in sessions)
        {
            foreach (bool isRagged in count == 1 ? [false] : new[] { false, true })
            {
                await RoundAsync(loop, count, Math.Min(8, tokens), isRagged, round: -1);
                var all = new List<(double Rate, double[] Gaps)>();
                for (int round = 0; round < rounds; round++)
                    all.Add(await RoundAsync(loop, count, tokens, isRagged, round));
                double[] gaps = [.. all.SelectMany(one => one.Gaps).Order()];
                double rate = all.Select(one => one.Rate).Order().ElementAt(all.Count / 2);
                results.Add(new EngineResult(
                    count, isRagged ? "ragged" : "even", rate, gaps[gaps.Length / 2], gaps[gaps.Length * 99 / 100], ceilings.Decode(count, Prompt + (tokens / 2.0))));
            }
        }

        return [.. results];
    }

    static async Task<(double Rate, double[] Gaps)> RoundAsync(EngineLoop loop, int count, int tokens, bool isRagged, int round)
    {
        var random = new Random((count * 1000) + round);
        List<long>[] times = await Task.WhenAll(Enumerable.Range(0, count).Select(index =>
        {
            int length = isRagged ? Prompt - Spread + (2 * Spread * index / (count - 1)) : Prompt;
            var request = new GenerationRequest
            {
                Id = new SequenceId(Guid.NewGuid().ToString("N")),
                Prompt = Enumerable.Range(0, length).Select(_ => random.Next(loop.Shape.LogitCount)).ToArray(),

                // Those that start first make more, so that all decode together for long enough.
                MaxNewTokens = Math.Min(tokens + (count - index), loop.Shape.PositionCount - length),
                Sampling = new SamplingParameters { Seed = (ulong)index },
            };
            if (loop.TrySubmit(request, out Generation? stream) != SubmitOutcome.Accepted)
                throw new InvalidOperationException("the engine refused a sequence");
            return Task.Run(() => ReadAsync(stream!));
        }));
        long from = times.Max(one => one[0]);
        long to = times.Min(one => one[^1]);
        int counted = times.Sum(one => one.Count(time => time > from && time <= to));
        double[] gaps = [.. times.SelectMany(one => one.Zip(one.Skip(1)).Where(pair => pair.First >= from && pair.Second <= to)
            .Select(pair => Stopwatch.GetElapsedTime(pair.First, pair.Second).TotalMilliseconds))];
        return (counted / Stopwatch.GetElapsedTime(from, to).TotalSeconds, gaps);
    }

    static async Task<List<long>> ReadAsync(Generation stream)
    {
        var times = new List<long>();
        await foreach (GeneratedToken _ in stream.Tokens.ReadAllAsync())
            times.Add(Stopwatch.GetTimestamp());
        return times;
    }

    /// <summary>The runner that the silo would choose.</summary>
    internal static IModelRunner CreateRunner(string folder, ScalarType dtype, ScalarType cache, int slots)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Tensor Weight(string name) => checkpoint.Load(name, ScalarType.Float32);
        return CpuNetwork.Fits(checkpoint.Config, dtype)
            ? new CpuModelRunner(new CpuNetwork(checkpoint.Config, checkpoint.Architecture, dtype, checkpoint), new CpuRunnerOptions { Slots = slots, KeyValueType = cache })
            : new TorchModelRunner(new ImageGpt(checkpoint.Config, checkpoint.Architecture, Weight, dtype: dtype), new TorchRunnerOptions { Slots = slots });
    }
}
