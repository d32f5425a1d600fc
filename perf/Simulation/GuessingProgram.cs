using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Engine.Scheduling;
using IgptCluster.Simulation.Devices;
using IgptCluster.Simulation.Reports;
using Spectre.Console;

namespace IgptCluster.Simulation;

/// <summary>What verifying guesses brings on a simulated device.</summary>
/// <param name="Sequences">Sequences at once, each making a whole picture.</param>
/// <param name="Share">How often a guess is right if those before it are.</param>
/// <param name="Plain">Tokens per second without guesses.</param>
/// <param name="Guessed">The same with guesses.</param>
/// <param name="TokensPerStep">Tokens that a sequence makes in a step, with guesses.</param>
/// <param name="RowsPerStep">Rows that it has in a step.</param>
internal sealed record GuessingResult(int Sequences, double Share, double Plain, double Guessed, double TokensPerStep, double RowsPerStep);

/// <summary>
/// Drives the real scheduler, and its policy of guessing, over a device that takes as long as its roofline says, by a clock of its own: the same result every time, in no time. Keys and
/// values are taken to be read once for all rows of a sequence.
/// </summary>
internal static class GuessingProgram
{
    internal static async Task<int> RunAsync(SimulationSettings settings, int[] sequences, double[] shares)
    {
        var roofline = new StepRoofline(SimulatedModel.Preset(settings.Preset), SimulatedDevice.H200);
        var results = new List<GuessingResult>();
        foreach (int count in sequences)
        {
            (double plain, _, _) = Run(settings, roofline, count, null);
            foreach (double share in shares)
            {
                (double guessed, double tokens, double rows) = Run(settings, roofline, count, new ShareDrafter(share));
                results.Add(new GuessingResult(count, share, plain, guessed, tokens, rows));
            }
        }

        Table table = SimulationTables.Titled($"Guesses verified, {roofline.Model.Name} on a device of {roofline.Device.Name}")
            .AddColumns("sequences", "guesses right", "tokens/s plain", "guessing", "speed-up", "rows a step", "tokens a step");
        foreach (GuessingResult one in results)
        {
            table.AddRow(
                $"{one.Sequences}", $"{one.Share:P0}", $"{one.Plain:N0}", $"{one.Guessed:N0}", $"{one.Guessed / one.Plain:0.00}", $"{one.RowsPerStep:0.0}", $"{one.TokensPerStep:0.00}");
        }

        AnsiConsole.Write(table);
        await SimulationFiles.WriteAsync(settings.Json, results);
        return 0;
    }

    static (double Rate, double TokensPerStep, double RowsPerStep) Run(SimulationSettings settings, StepRoofline roofline, int count, IDrafter? drafter)
    {
        ModelShape shape = roofline.Model.Shape;
        var scheduler = new Scheduler(new EngineOptions(), shape, count, drafter);
        for (int index = 0; index < count; index++)
        {
            scheduler.Add(new GenerationSequence(
                new GenerationRequest
                {
                    Id = new SequenceId($"{index}"),
                    Prompt = ReadOnlyMemory<int>.Empty,
                    MaxNewTokens = shape.PositionCount,
                    Sampling = new SamplingParameters { Sample = (uint)index },
                },
                shape.StartToken,
                TimeSpan.Zero));
        }

        (TimeSpan now, long rows, long turns) = (TimeSpan.Zero, 0, 0);
        while (scheduler.HasWork)
        {
            StepPlan plan = scheduler.Schedule(now);
            now += roofline.Times(plan).Total + (settings.HostPerToken * plan.Chunks.Count);
            rows += plan.TokenCount;
            turns += plan.Chunks.Count;
            scheduler.Apply([.. plan.Chunks.Select(Answer)], now);
        }

        double tokens = (double)count * shape.PositionCount;
        return (tokens / now.TotalSeconds, tokens / turns, rows / (double)turns);
    }

    // Drawn on the device: any colour will do, as long as a drafter can know it.
    static ChunkOutput Answer(SequenceChunk chunk) =>
        new() { Drawn = Enumerable.Range(chunk.Start + chunk.Tokens.Length - chunk.LogitRows, chunk.LogitRows).Select(ColourAt).ToArray() };

    static int ColourAt(int position) => position % 256;

    sealed class ShareDrafter(double share) : IDrafter
    {
        public string Name => $"right {share:P0} of the time";

        public ISequenceDrafter Begin(SamplingParameters sampling) => new Sequence(share, sampling);
    }

    sealed class Sequence(double share, SamplingParameters sampling) : ISequenceDrafter
    {
        public int Guess(ReadOnlySpan<int> raster, out double confidence)
        {
            // The same of a position whenever it is asked for.
            confidence = share;
            bool isRight = Philox.Uniform(seed: 7, sampling.Sample, (uint)raster.Length) * (1.0 / (1L << 53)) < share;
            return ColourAt(raster.Length) + (isRight ? 0 : 1);
        }

        public void Learn(ReadOnlySpan<int> raster, int from)
        {
        }
    }
}
