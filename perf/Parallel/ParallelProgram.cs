using System.Text.Json;
using IgptCluster.DeviceCheck;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Torch;
using Spectre.Console;
using static TorchSharp.torch;

namespace IgptCluster.Parallel;

/// <summary>All that was measured.</summary>
/// <param name="Model">The model's folder or preset.</param>
/// <param name="DType">Data type served.</param>
/// <param name="Acceptance">How often guesses are what is drawn.</param>
/// <param name="Noise">Shared random numbers by two rules of drawing.</param>
/// <param name="Speed">Speed beside decoding without guesses.</param>
internal sealed record ParallelReport(string Model, string DType, IReadOnlyList<AcceptanceResult> Acceptance, IReadOnlyList<NoiseResult> Noise, IReadOnlyList<SpeedResult> Speed);

/// <summary>Measures exact parallel decoding of one model.</summary>
internal static class ParallelProgram
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static async Task<int> RunAsync(ParallelSettings settings)
    {
        LibTorch.Prepare();
        DirectoryInfo? made = settings.Model is null ? Directory.CreateTempSubdirectory("igpt-parallel-") : null;
        try
        {
            if (made is not null)
                CheckpointProgram.Write(settings.Preset, "float32", made.FullName);
            ScalarType type = EngineProgram.TypeOf(settings.DType);
            var loading = new Loading(settings.Model ?? made!.FullName, "cpu", "libtorch", type, type == ScalarType.Int8 ? ScalarType.BFloat16 : type);
            ParallelReport report = await MeasureAsync(settings, loading);
            await File.WriteAllTextAsync(settings.Json, JsonSerializer.Serialize(report, Indented));
            ParallelChart.Draw(settings.Picture, report);
            Console.WriteLine($"Wrote {settings.Json} and {settings.Picture}");
            return report.Speed.All(result => result.IsSame) ? 0 : 1;
        }
        finally
        {
            made?.Delete(recursive: true);
        }
    }

    static async Task<ParallelReport> MeasureAsync(ParallelSettings settings, Loading loading)
    {
        Console.WriteLine($"Model: {settings.Model ?? $"{settings.Preset} (random)"} in {settings.DType}, {Environment.ProcessorCount} processors");
        using IModelRunner runner = loading.CreateRunner(1);
        int width = ContextDrafter.WidthOf(runner.Shape.PositionCount);
        var (acceptance, noise) = (new List<AcceptanceResult>(), new List<NoiseResult>());
        if (settings.Model is not null)
        {
            var maker = new PictureMaker(loading.CreateRunner);
            ContextTable table = ContextTable.Count((await maker.MakeAsync(settings.Learned, temperature: 1, seed: 1000)).Select(tokens => (ReadOnlyMemory<int>)tokens), width);
            foreach (double temperature in settings.Temperatures)
            {
                int[][] pictures = await maker.MakeAsync(settings.Pictures, temperature, PictureMaker.Seed);
                acceptance.AddRange(AcceptanceRun.Measure(pictures, temperature, width, table));
                noise.Add(NoiseRun.Measure(runner, pictures, temperature, width, table));
            }
        }

        Print(acceptance, noise);
        var speed = new List<SpeedResult>();
        await foreach (SpeedResult result in new SpeedRun(loading.CreateRunner, new ContextDrafter(width)).MeasureAsync(settings.Sequences, settings.Temperatures, settings.Tokens, settings.Rounds))
            speed.Add(result);
        Print(speed);
        return new ParallelReport(settings.Model ?? settings.Preset, settings.DType, acceptance, noise, speed);
    }

    static void Print(List<AcceptanceResult> acceptance, List<NoiseResult> noise)
    {
        Table guesses = new Table().Title("Guesses that are what is drawn, and tokens a step by guesses a step")
            .AddColumns(["T", "drafter", "right", .. AcceptanceRun.Depths.Select(depth => $"{depth}")]);
        foreach (AcceptanceResult one in acceptance)
            guesses.AddRow([$"{one.Temperature}", one.Drafter, $"{one.Right:P2}", .. one.TokensPerStep.Select(tokens => $"{tokens:0.00}")]);
        Table rules = new Table().Title("A guess drawn from the table by the draw's own random numbers").AddColumns("T", "inverse CDF", "Gumbel", "total variation");
        foreach (NoiseResult one in noise)
            rules.AddRow($"{one.Temperature}", $"{one.InverseCdf:P2}", $"{one.Gumbel:P2}", $"{one.TotalVariation:0.000}");
        if (acceptance.Count > 0)
        {
            AnsiConsole.Write(guesses);
            AnsiConsole.Write(rules);
        }
    }

    static void Print(List<SpeedResult> speed)
    {
        Table table = new Table().Title("Tokens a second, all sequences together").AddColumns("sequences", "T", "plain", "guessing", "speed-up", "tokens a step", "guesses a token", "right", "same tokens");
        foreach (SpeedResult one in speed)
        {
            table.AddRow(
                $"{one.Sequences}", $"{one.Temperature}", $"{one.Plain:0}", $"{one.Guessed:0}", $"{one.SpeedUp:0.00}", $"{one.TokensPerStep:0.00}", $"{one.Drafted:0.00}", $"{one.Accepted:P1}", one.IsSame ? "all" : "NO");
        }

        AnsiConsole.Write(table);
    }
}
