using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Decoding by the engine in this process: no gRPC, no grains.</summary>
/// <param name="Sessions">Sequences at once.</param>
/// <param name="Position">Their mean position.</param>
/// <param name="Lengths">"even", all at the same position, or "ragged", spread evenly over 224 positions either way.</param>
/// <param name="TokensPerSecond">All sequences together, while all of them decode; median of the rounds.</param>
/// <param name="GapP50">Median time between two tokens of a sequence, ms.</param>
/// <param name="GapP99">The same, 99th percentile.</param>
/// <param name="AllocatedPerToken">Managed bytes allocated per token by the whole process, readers included.</param>
/// <param name="Ceiling">Tokens per second at the limits of this machine.</param>
internal sealed record EngineResult(
    int Sessions, int Position, string Lengths, double TokensPerSecond, double GapP50, double GapP99, double AllocatedPerToken, double Ceiling)
{
    public double Share => TokensPerSecond / Ceiling;
}

/// <summary>Measures an engine that decodes.</summary>
internal sealed class EngineRun(EngineLoop loop, Ceilings ceilings)
{
    const int Middle = 512; // where lengths are ragged too
    const int Spread = 224; // either way
    const int Warmup = 8;

    /// <summary>Some sequences that make tokens together. All prompts begin alike, so that only the first is prefilled; each has its own copy of the cache.</summary>
    internal async IAsyncEnumerable<EngineResult> MeasureAsync(int[] sessions, int[] positions, int tokens, int rounds)
    {
        foreach (int position in positions)
        {
            foreach (int count in sessions)
            {
                yield return await MeasureAsync(count, position, spread: 0, tokens, rounds);
                if (position == Middle && count > 1)
                    yield return await MeasureAsync(count, position, Spread, tokens, rounds);
            }
        }
    }

    /// <summary>So many steps by one sequence after the other, to see whether memory grows.</summary>
    /// <returns>Bytes by which the process grew from the first tenth on.</returns>
    internal async Task<long> SoakAsync(int steps)
    {
        long before = 0;
        for (int done = 0; done < steps;)
        {
            int made = Math.Min(steps - done, loop.Shape.PositionCount - 1);
            await ReadAsync(Submit(new Random(done), prompt: 1, made, seed: 0));
            done += made;
            if (before == 0 && done >= steps / 10)
                before = Environment.WorkingSet;
        }

        return Environment.WorkingSet - before;
    }

    async Task<EngineResult> MeasureAsync(int count, int position, int spread, int tokens, int rounds)
    {
        await RoundAsync(count, position, spread, Warmup, round: -1);
        var all = new List<(double Rate, double[] Gaps, double Allocated)>();
        for (int round = 0; round < rounds; round++)
            all.Add(await RoundAsync(count, position, spread, tokens, round));
        double[] gaps = [.. all.SelectMany(one => one.Gaps).Order()];
        return new EngineResult(
            count,
            position,
            spread > 0 ? "ragged" : "even",
            Statistics.Median(all.Select(one => one.Rate)),
            Statistics.Percentile(gaps, 50),
            Statistics.Percentile(gaps, 99),
            Statistics.Median(all.Select(one => one.Allocated)),
            ceilings.Decode(count, position));
    }

    async Task<(double Rate, double[] Gaps, double Allocated)> RoundAsync(int count, int position, int spread, int tokens, int round)
    {
        long allocated = GC.GetTotalAllocatedBytes();
        int seed = (position * 1000) + (round * 100) + count + spread;
        int first = Math.Clamp(position - (tokens / 2), 0, loop.Shape.PositionCount - tokens);

        // The longest first: the others take their beginnings from it.
        long[][] times = await Task.WhenAll(Enumerable.Range(0, count).Select(index =>
        {
            int length = count == 1 ? first : first + spread - (2 * spread * index / (count - 1));
            return ReadAsync(Submit(new Random(seed), length, tokens, (ulong)index));
        }));
        double perToken = (GC.GetTotalAllocatedBytes() - allocated) / (double)times.Sum(one => one.Length);
        return (Statistics.Rate(times), Statistics.Gaps(times), perToken);
    }

    Generation Submit(Random random, int prompt, int made, ulong seed) => loop.Submit(new GenerationRequest
    {
        Id = new SequenceId(Guid.NewGuid().ToString("N")),
        Prompt = Enumerable.Range(0, prompt).Select(_ => random.Next(loop.Shape.LogitCount)).ToArray(),
        MaxNewTokens = made,
        Sampling = new SamplingParameters { Seed = seed },
    });

    static Task<long[]> ReadAsync(Generation stream) => Task.Run(stream.TimesAsync);
}

/// <summary>An engine whose requests are not refused, and streams read by the clock.</summary>
internal static class EngineRequests
{
    internal static Generation Submit(this EngineLoop loop, GenerationRequest request) =>
        loop.TrySubmit(request, out Generation? stream) == SubmitOutcome.Accepted ? stream! : throw new InvalidOperationException("the engine refused a sequence");

    /// <summary>One image, or the beginning of one, that is read through.</summary>
    internal static async Task EvaluateAsync(this EngineLoop loop, Random random, int tokens)
    {
        var request = new EvaluationRequest
        {
            Id = new SequenceId(Guid.NewGuid().ToString("N")),
            Tokens = Enumerable.Range(0, tokens).Select(_ => random.Next(loop.Shape.LogitCount)).ToArray(),
            PooledLayers = [loop.Shape.LayerCount],
        };
        if (loop.TrySubmit(request, out Task<EvaluationResult>? result) != SubmitOutcome.Accepted)
            throw new InvalidOperationException("the engine refused an image");
        await result!;
    }

    /// <summary>When each token came.</summary>
    internal static async Task<long[]> TimesAsync(this Generation stream)
    {
        var times = new List<long>();
        await foreach (GeneratedToken _ in stream.Tokens.ReadAllAsync())
            times.Add(Stopwatch.GetTimestamp());
        return [.. times];
    }
}
