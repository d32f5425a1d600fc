using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Sequences that are read through.</summary>
/// <param name="Sequences">How many at once.</param>
/// <param name="Tokens">Tokens of each.</param>
/// <param name="TokensPerSecond">All together; median of the rounds.</param>
/// <param name="Ceiling">Tokens per second at the rate of products.</param>
internal sealed record PrefillResult(int Sequences, int Tokens, double TokensPerSecond, double Ceiling)
{
    public double Share => TokensPerSecond / Ceiling;
}

/// <summary>Several samples of one prompt.</summary>
/// <param name="One">Time to the first token of one sample, ms; median.</param>
/// <param name="Eight">Time until each of eight samples of one prompt has its first token, ms; median.</param>
internal sealed record SamplesResult(double One, double Eight);

/// <summary>Decoding beside classifications.</summary>
/// <param name="Streams">Sequences that decode.</param>
/// <param name="Alone50">Median time between two tokens without classifications, ms.</param>
/// <param name="Alone99">The same, 99th percentile.</param>
/// <param name="Mixed50">Median with classifications, ms.</param>
/// <param name="Mixed99">The same, 99th percentile.</param>
/// <param name="ImagesAsked">Classifications per second that came: half of what the engine can do alone.</param>
/// <param name="ImagesDone">Classifications per second that were done meanwhile.</param>
internal sealed record StretchResult(int Streams, double Alone50, double Alone99, double Mixed50, double Mixed99, double ImagesAsked, double ImagesDone);

/// <summary>Measures prompts and images: alone, shared by samples, and beside streams.</summary>
internal sealed class PromptRun(EngineLoop loop, Ceilings ceilings)
{
    const int Prompt = 512;
    const int Samples = 8;

    internal async Task<PrefillResult> PrefillAsync(int sequences, int tokens, int rounds)
    {
        var rates = new List<double>();
        for (int round = -1; round < rounds; round++)
        {
            var random = new Random(round + 1000);
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, sequences).Select(_ => loop.EvaluateAsync(random, tokens)));
            if (round >= 0)
                rates.Add(sequences * tokens / watch.Elapsed.TotalSeconds);
        }

        return new PrefillResult(sequences, tokens, Statistics.Median(rates), ceilings.Prefill(tokens));
    }

    internal async Task<SamplesResult> SamplesAsync(int rounds)
    {
        (var one, var eight) = (new List<double>(), new List<double>());
        for (int round = 0; round < rounds; round++)
        {
            one.Add(await FirstTokensAsync(round, 1));
            eight.Add(await FirstTokensAsync(round + rounds, Samples));
        }

        return new SamplesResult(Statistics.Median(one), Statistics.Median(eight));
    }

    internal async Task<StretchResult> StretchAsync(int streams, int tokens, double imagesPerSecond)
    {
        (double[] alone, _) = await StreamAsync(streams, tokens, interval: null);
        (double[] mixed, double done) = await StreamAsync(streams, tokens, TimeSpan.FromSeconds(2 / imagesPerSecond));
        return new StretchResult(
            streams,
            Statistics.Percentile(alone, 50),
            Statistics.Percentile(alone, 99),
            Statistics.Percentile(mixed, 50),
            Statistics.Percentile(mixed, 99),
            imagesPerSecond / 2,
            done);
    }

    // Until the last of the samples has its first token, ms.
    async Task<double> FirstTokensAsync(int round, int samples)
    {
        long start = Stopwatch.GetTimestamp();
        long[][] times = await Task.WhenAll(Enumerable.Range(0, samples).Select(sample => Task.Run(loop.Submit(Request(1, round, sample)).TimesAsync)));
        return Stopwatch.GetElapsedTime(start, times.Max(one => one[0])).TotalMilliseconds;
    }

    async Task<(double[] Gaps, double ImagesPerSecond)> StreamAsync(int streams, int tokens, TimeSpan? interval)
    {
        Task<long[][]> reading = Task.WhenAll(Enumerable.Range(0, streams).Select(index => Task.Run(loop.Submit(Request(tokens, -1, index)).TimesAsync)));
        var images = new List<Task>();
        var watch = Stopwatch.StartNew();
        for (int count = 1; interval is { } every && !reading.IsCompleted; count++)
        {
            images.Add(loop.EvaluateAsync(new Random(count), loop.Shape.PositionCount));
            TimeSpan wait = (every * count) - watch.Elapsed;
            await Task.WhenAny(reading, Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero));
        }

        long[][] times = await reading;
        int done = images.Count(image => image.IsCompleted);
        double seconds = watch.Elapsed.TotalSeconds;
        await Task.WhenAll(images);
        return ([.. Statistics.Gaps(times).Order()], done / seconds);
    }

    GenerationRequest Request(int tokens, int prompt, int sample)
    {
        var random = new Random(prompt);
        return new GenerationRequest
        {
            Id = new SequenceId(Guid.NewGuid().ToString("N")),
            Prompt = Enumerable.Range(0, Prompt - 1).Select(_ => random.Next(loop.Shape.LogitCount)).ToArray(),
            MaxNewTokens = tokens,
            Sampling = new SamplingParameters { Seed = (ulong)sample },
        };
    }
}
