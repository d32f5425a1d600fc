using System.Diagnostics;
using System.Text.Json;
using Grpc.Net.Client;
using IgptCluster.Model;
using Spectre.Console;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>What to measure.</summary>
internal sealed record LoadSettings(string? Model, string Preset, string DType, int[] Sessions, int Tokens, int Rounds, string Json);

/// <summary>All results of a run.</summary>
internal sealed record LoadReport(
    string Model, string DType, double LoadSeconds, MachineLimits Limits, IReadOnlyList<DecodeResult> Decode, IReadOnlyList<ImageResult> Images, long WorkingSetBytes);

/// <summary>Measures the limits, then a silo process from outside.</summary>
internal static class LoadProgram
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static async Task<int> RunAsync(LoadSettings settings)
    {
        LibTorch.Prepare();
        ScalarType dtype = settings.DType == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
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
        var watch = Stopwatch.StartNew();
        await using Server server = await Server.StartAsync(folder, settings.DType, slots: settings.Sessions.Max());
        double loaded = watch.Elapsed.TotalSeconds;
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var run = new LoadRun(channel, config, dtype == ScalarType.BFloat16 ? 2 : 4, limits);
        var decode = new List<DecodeResult>();
        foreach (int sessions in settings.Sessions)
        {
            decode.Add(await run.DecodeAsync(sessions, settings.Tokens, settings.Rounds));
        }

        ImageResult[] images = [await run.EmbedAsync(1, settings.Rounds), await run.EmbedAsync(8, settings.Rounds)];
        return new LoadReport(settings.Model ?? $"{settings.Preset} (random)", settings.DType, loaded, limits, decode, images, server.WorkingSet);
    }

    static void Print(LoadReport report)
    {
        MachineLimits limits = report.Limits;
        Console.WriteLine($"Machine: {limits.Threads} processors, {limits.ReadBytesPerSecond / 1e9:0.0} GB/s read, {limits.GemmFlopsPerSecond / 1e9:0} GFLOP/s {report.DType} matrix product");
        Console.WriteLine($"Model: {report.Model} in {report.DType}; ready after {report.LoadSeconds:0.0} s, {report.WorkingSetBytes >> 20} MiB resident");
        var table = new Table().AddColumns("sessions", "tokens/s", "ITL mean ms", "TTFT p50 ms", "ceiling tokens/s", "share");
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
