using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using IgptCluster.Engine;
using IgptCluster.Model;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>What to measure.</summary>
internal sealed record LoadSettings(
    string? Model, string Preset, string Device, string DType, string? KvDType, int[] Sessions, int[] Positions, int Tokens, int Rounds, int SoakSteps, string Json, string Picture);

/// <summary>All results of a run.</summary>
/// <param name="WeightBytes">Bytes of all weights.</param>
/// <param name="CacheBytes">Bytes of all KV slots.</param>
internal sealed record LoadReport(string Model, string Device, string DType, string KvDType, MachineLimits Limits, InProcessReport InProcess, OverGrpcReport OverGrpc, double WeightBytes, double CacheBytes);

/// <summary>What the engine does in the process that measures.</summary>
/// <param name="SoakGrowth">Bytes by which the process grew in the further steps.</param>
internal sealed record InProcessReport(
    LoadingResult Loading, IReadOnlyList<EngineResult> Engine, IReadOnlyList<PrefillResult> Prefill, SamplesResult Samples, StretchResult Stretch, int SoakSteps, long SoakGrowth);

/// <summary>What a silo does for a client.</summary>
/// <param name="ReadySeconds">From the start of its process.</param>
/// <param name="ResidentBytes">Of its process after all requests.</param>
/// <param name="Overheads">What it adds to what the engine takes, without a store and with one, where the engine leaves a processor to the rest.</param>
internal sealed record OverGrpcReport(double ReadySeconds, IReadOnlyList<DecodeResult> Decode, IReadOnlyList<ImageResult> Images, long ResidentBytes, IReadOnlyList<OverheadResult> Overheads);

/// <summary>Measures the limits, then the engine in this process, then a silo process from outside.</summary>
internal static class LoadProgram
{
    const int StreamsBeside = 16;
    const int TokensBeside = 160;

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    internal static async Task<int> RunAsync(LoadSettings settings)
    {
        LibTorch.Prepare();
        ScalarType dtype = TypeOf(settings.DType);
        MachineLimits limits = MachineLimits.Measure(settings.Device, dtype);
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
            LoadTables.Print(report);
            await File.WriteAllTextAsync(settings.Json, JsonSerializer.Serialize(report, Indented));
            Console.WriteLine($"Wrote {settings.Json} and {settings.Picture}");
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
        int slots = Math.Max(settings.Sessions.Max(), StreamsBeside + 2);
        InProcessReport inProcess = await InProcessAsync(settings, new Loading(folder, settings.Device, dtype, cache), ceilings, slots);
        GC.Collect();
        var types = new ServerTypes(settings.Device, settings.DType, cacheName);
        OverGrpcReport overGrpc = await OverGrpcAsync(settings, () => Server.StartAsync(folder, types, slots), address => new LoadRun(address, config, ceilings));

        // One processor is left to what surrounds the engine.
        Task<Server> Start(string? data) => Server.StartAsync(folder, types, slots, data, Math.Max(1, Environment.ProcessorCount - 1));
        overGrpc = overGrpc with { Overheads = [await OverheadAsync(Start, config, stored: false), await OverheadAsync(Start, config, stored: true)] };
        var report = new LoadReport(settings.Model ?? $"{settings.Preset} (random)", settings.Device, settings.DType, cacheName, limits, inProcess, overGrpc, ceilings.WeightBytes, slots * ceilings.SlotBytes);
        Draw(settings.Picture, report, ceilings);
        return report;
    }

    static async Task<InProcessReport> InProcessAsync(LoadSettings settings, Loading loading, Ceilings ceilings, int slots)
    {
        LoadingResult loaded = loading.Measure(settings.Rounds);
        await using var loop = new EngineLoop(new EngineOptions(), () => loading.CreateRunner(slots), TimeProvider.System, NullLogger.Instance);
        await loop.StartAsync();
        (var engine, var prompts) = (new EngineRun(loop, ceilings), new PromptRun(loop, ceilings));
        int positions = loop.Shape.PositionCount;
        EngineResult[] decode = await engine.MeasureAsync(settings.Sessions, settings.Positions, settings.Tokens, settings.Rounds);
        PrefillResult image = await prompts.PrefillAsync(1, positions, settings.Rounds);
        PrefillResult[] prefill = [await prompts.PrefillAsync(1, positions / 2, settings.Rounds), image, await prompts.PrefillAsync(8, positions, settings.Rounds)];
        SamplesResult samples = await prompts.SamplesAsync(settings.Rounds);
        StretchResult stretch = await prompts.StretchAsync(StreamsBeside, TokensBeside, image.TokensPerSecond / positions);
        return new InProcessReport(loaded, decode, prefill, samples, stretch, settings.SoakSteps, settings.SoakSteps > 0 ? await engine.SoakAsync(settings.SoakSteps) : 0);
    }

    static async Task<OverGrpcReport> OverGrpcAsync(LoadSettings settings, Func<Task<Server>> start, Func<Uri, LoadRun> load)
    {
        var watch = Stopwatch.StartNew();
        await using Server server = await start();
        TimeSpan ready = watch.Elapsed;
        LoadRun run = load(server.Address);
        await run.WarmAsync();
        var decode = new List<DecodeResult>();
        foreach (int sessions in settings.Sessions)
            decode.Add(await run.DecodeAsync(sessions, settings.Tokens, settings.Rounds));
        ImageResult[] images = [await run.EmbedAsync(1, settings.Rounds), await run.EmbedAsync(8, settings.Rounds)];
        long resident = server.WorkingSet;
        return new OverGrpcReport(ready.TotalSeconds, decode, images, resident, []);
    }

    static async Task<OverheadResult> OverheadAsync(Func<string?, Task<Server>> start, ImageGptConfig config, bool stored)
    {
        DirectoryInfo data = Directory.CreateTempSubdirectory("igpt-load-store-");
        try
        {
            await using Server server = await start(stored ? data.FullName : null);
            return await new OverheadRun(server.Address, config, stored).MeasureAsync();
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    static void Draw(string file, LoadReport report, Ceilings ceilings)
    {
        var points = new List<(string, RooflinePoint)>();
        points.AddRange(report.InProcess.Engine.Where(one => one.Lengths == "even").Select(one => ("decoding: sequences at position", ceilings.DecodePoint(one.Sessions, one.Position, one.TokensPerSecond))));
        points.AddRange(report.InProcess.Prefill.Select(one => ("read through", ceilings.PrefillPoint($"{one.Sequences} × {one.Tokens}", one.Sequences, one.Tokens, one.TokensPerSecond))));
        Roofline.Draw(file, $"{report.Model}, {report.DType} weights, {report.KvDType} KV cache, {report.Device}", report.Limits, points);
    }

    static ScalarType TypeOf(string name) => name switch { "bfloat16" => ScalarType.BFloat16, "int8" => ScalarType.Int8, _ => ScalarType.Float32 };

    static double BytesOf(ScalarType type) => type switch { ScalarType.Float32 => 4, ScalarType.BFloat16 => 2, _ => 1 };
}
