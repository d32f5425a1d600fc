using System.Diagnostics;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Parallel;

/// <summary>Generating with guesses beside generating without, in this process.</summary>
/// <param name="Sequences">Sequences at once.</param>
/// <param name="Temperature">Temperature of the draws.</param>
/// <param name="Plain">Tokens per second without guesses, all sequences together; median of the rounds.</param>
/// <param name="Guessed">The same with guesses.</param>
/// <param name="SpeedUp">Median of the rounds' quotients.</param>
/// <param name="TokensPerStep">Tokens a sequence makes in a step, with guesses.</param>
/// <param name="Drafted">Guesses per token.</param>
/// <param name="Accepted">Share of the guesses that were right.</param>
/// <param name="IsSame">Whether all tokens were the same.</param>
internal sealed record SpeedResult(int Sequences, double Temperature, double Plain, double Guessed, double SpeedUp, double TokensPerStep, double Drafted, double Accepted, bool IsSame);

/// <summary>Measures two engines of one model, taking turns.</summary>
/// <param name="createRunner">Loads the model with so many KV slots.</param>
/// <param name="drafter">Guesses for one of the engines.</param>
internal sealed class SpeedRun(Func<int, IModelRunner> createRunner, IDrafter drafter)
{
    internal async IAsyncEnumerable<SpeedResult> MeasureAsync(int[] sequences, double[] temperatures, int tokens, int rounds)
    {
        foreach (int count in sequences)
        {
            await using EngineLoop plain = await StartAsync(count, null), guessed = await StartAsync(count, () => drafter);
            foreach (double temperature in temperatures)
                yield return await MeasureAsync(plain, guessed, count, temperature, tokens, rounds);
        }
    }

    static async Task<SpeedResult> MeasureAsync(EngineLoop plain, EngineLoop guessed, int count, double temperature, int tokens, int rounds)
    {
        // Warm both, and let the policy learn what rows cost.
        await RunAsync(plain, count, temperature, tokens, seed: 0);
        await RunAsync(guessed, count, temperature, tokens, seed: 0);
        EngineStatus before = guessed.Status;
        var rates = new List<(double Plain, double Guessed)>();
        bool same = true;
        for (int round = 1; round <= rounds; round++)
        {
            (double plainRate, int[][] expected) = await RunAsync(plain, count, temperature, tokens, (ulong)round);
            (double guessedRate, int[][] actual) = await RunAsync(guessed, count, temperature, tokens, (ulong)round);
            same &= expected.Zip(actual).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
            rates.Add((plainRate, guessedRate));
        }

        EngineStatus after = guessed.Status;
        double made = (double)rounds * count * tokens, drafted = after.DraftedTokens - before.DraftedTokens, accepted = after.AcceptedTokens - before.AcceptedTokens;
        return new SpeedResult(
            count,
            temperature,
            Statistics.Median(rates.Select(rate => rate.Plain)),
            Statistics.Median(rates.Select(rate => rate.Guessed)),
            Statistics.Median(rates.Select(rate => rate.Guessed / rate.Plain)),
            made / (made - accepted),
            drafted / made,
            drafted == 0 ? 0 : accepted / drafted,
            same);
    }

    static async Task<(double Rate, int[][] Tokens)> RunAsync(EngineLoop loop, int count, double temperature, int tokens, ulong seed)
    {
        long start = Stopwatch.GetTimestamp();
        Generation[] streams = [.. Enumerable.Range(0, count).Select(index => loop.Submit(new GenerationRequest
        {
            Id = new SequenceId(Guid.NewGuid().ToString("N")),
            Prompt = ReadOnlyMemory<int>.Empty,
            MaxNewTokens = tokens,
            Sampling = new SamplingParameters { Temperature = temperature, Seed = seed, Sample = (uint)index },
        }))];
        var made = new int[count][];
        for (int index = 0; index < count; index++)
            made[index] = await streams[index].Tokens.ReadAllAsync().Select(token => token.Token).ToArrayAsync();
        return (count * tokens / Stopwatch.GetElapsedTime(start).TotalSeconds, made);
    }

    async Task<EngineLoop> StartAsync(int slots, Func<IDrafter>? createDrafter)
    {
        var loop = new EngineLoop(new EngineOptions(), () => createRunner(slots), TimeProvider.System, NullLogger.Instance, createDrafter);
        await loop.StartAsync();
        return loop;
    }
}
