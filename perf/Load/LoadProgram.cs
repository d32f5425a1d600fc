using System.Diagnostics;
using System.Text.Json;
using Grpc.Net.Client;
using IgptCluster.Model;
using Spectre.Console;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>What to measure.</summary>
internal sealed record LoadSettings(string? Model, string Preset, string DType, string? KvDType, int[] Sessions, int Tokens, int Rounds, string Json);

/// <summary>All results of a run.</summary>
internal sealed record LoadReport(
    string Model, string DType, string KvDType, double LoadSeconds, MachineLimits Limits, IReadOnlyList<EngineResult> Engine, IReadOnlyList<DecodeResult> Decode, IReadOnlyList<ImageResult> Images, long WorkingSetBytes);

/// <summary>Measures the limits, then a silo process from outside.</summary>
internal static class LoadProgram
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static async Task<int> RunAsync(LoadSettings settings)
    {
        LibTorch.Prepare();
        ScalarType dtype = TypeOf(settings.DType);
        MachineLimits limits = MachineLimits.Measure(dtype);
        DirectoryInfo? made = settings.Model is null ? Directory.CreateTempSubdirectory("igpt-load-") : null;
        try
        {
            string folder = settings.Model ?? made!.FullName;
            if (made is not null)
            {
                ImageGptConfig preset = ImageGptConfig.Preset(settings.Preset);
                CheckpointWriter.Write(folder, new CheckpointContent { Config = preset, Architecture = ImageGptArchitecture.CausalImageModeling }, new RandomWeights(preset, seed: 0).Make);
            }

            LoadReport report = await MeasureAsync(settings, folder, dtype, limits);
            Print(report);
            await File.WriteAllTextAsync(settings.Json, JsonSerializer.Serialize(report, Indented));
            Console.WriteLine($"Wrote {settings.Json}");
            return 0;
        }
        finally
        {
            made?.Delete(recursive: true);
        }
    }

    static async Task<LoadReport> MeasureAsync(LoadSettings settings, string folder, ScalarType dtype, MachineLimits limits)
    {
        (ImageGptConfig config, _) = ImageGptConfigJson.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "config.json")));
        string cacheName = settings.KvDType ?? (dtype == ScalarType.Int8 ? "bfloat16" : settings.DType);
        ScalarType cache = TypeOf(cacheName);
        var ceilings = new Ceilings(config, BytesOf(dtype), BytesOf(cache), limits);
        EngineResult[] engine = await new EngineRun(() => EngineRun.CreateRunner(folder, dtype, cache, settings.Sessions.Max()), ceilings)
            .MeasureAsync(settings.Sessions, settings.Tokens, settings.Rounds);
        var watch = Stopwatch.StartNew();
        await using Server server = await Server.StartAsync(folder, settings.DType, cacheName, slots: settings.Sessions.Max());
        double loaded = watch.Elapsed.TotalSeconds;
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var run = new LoadRun(channel, config, ceilings);
        var decode = new List<DecodeResult>();
        foreach (int sessions in settings.Sessions)
        {
            decode.Add(await run.DecodeAsync(sessions, settings.Tokens, settings.Rounds));
        }

        ImageResult[] images = [await run.EmbedAsync(1, settings.Rounds), await run.EmbedAsync(8, settings.Rounds)];
        return new LoadReport(settings.Model ?? $"{settings.Preset} (random)", settings.DType, cacheName, loaded, limits, engine, decode, images, server.WorkingSet);
    }

    static ScalarType TypeOf(string name) => name switch { "bfloat16" => ScalarType.BFloat16, "int8" => ScalarType.Int8, _ => ScalarType.Float32 };

    static double BytesOf(ScalarType type) => type switch { ScalarType.Float32 => 4, ScalarType.BFloat16 => 2, _ => 1 };

    static void Print(LoadReport report)
    {
        MachineLimits limits = report.Limits;
        Console.WriteLine($"Machine: {limits.Threads} processors, {limits.ReadBytesPerSecond / 1e9:0.0} GB/s read, {limits.FlopsPerSecond / 1e9:0} GFLOP/s {report.DType} products (libtorch's {limits.GemmFlopsPerSecond / 1e9:0})");
        Console.WriteLine($"Model: {report.Model} in {report.DType}, KV cache in {report.KvDType}; ready after {report.LoadSeconds:0.0} s, {report.WorkingSetBytes >> 20} MiB resident");
        var inProcess = new Table().AddColumns("in process: sequences", "lengths", "tokens/s", "ITL p50 ms", "ITL p99 ms", "ceiling tokens/s", "share");
        foreach (EngineResult result in report.Engine)
        {
            inProcess.AddRow(
                $"{result.Sessions}", result.Lengths, $"{result.TokensPerSecond:0.0}", $"{result.GapP50:0.0}", $"{result.GapP99:0.0}", $"{result.Ceiling:0}", $"{result.Share:P0}");
        }

        AnsiConsole.Write(inProcess);
        var table = new Table().AddColumns("over gRPC: sessions", "tokens/s", "ITL mean ms", "TTFT p50 ms", "ceiling tokens/s", "share");
        foreach (DecodeResult result in report.Decode)
        {
            table.AddRow($"{result.Sessions}", $"{result.TokensPerSecond:0.0}", $"{result.MeanGap:0.0}", $"{result.FirstToken:0}", $"{result.Ceiling:0}", $"{result.Share:P0}");
        }

        AnsiConsole.Write(table);
        var images = new Table().AddColumns("images per request", "images/s", "ceiling images/s", "share");
        foreach (ImageResult result in report.Images)
        {
            images.AddRow($"{result.Batch}", $"{result.ImagesPerSecond:0.00}", $"{result.Ceiling:0.00}", $"{result.Share:P0}");
        }

        AnsiConsole.Write(images);
    }
}
