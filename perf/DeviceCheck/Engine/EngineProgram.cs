using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Engine.Runner;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Measures the device's limits, then an engine in this process: no silo, no store, no gRPC.</summary>
/// <param name="settings">What to measure.</param>
/// <param name="wrote">Called after each part with all that is known by then.</param>
internal sealed class EngineProgram(EngineSettings settings, Action<EngineReport> wrote)
{
    const int StreamsBeside = 16;
    const int TokensBeside = 160;

    EngineReport _report = new()
    {
        Model = settings.Model,
        Device = settings.Device,
        Runner = settings.Device == "cpu" ? "as the silo chooses" : settings.Runner,
        DType = settings.DType,
        KvDType = settings.KvDType,
        LibTorch = LibTorch.Describe(),
        SoakSteps = settings.SoakSteps,
    };

    internal async Task<EngineReport> RunAsync()
    {
        ScalarType dtype = TypeOf(settings.DType);
        Add(_report with { Limits = MachineLimits.Measure(settings.Device, dtype) });
        (ImageGptConfig config, _) = ImageGptConfigJson.Parse(await File.ReadAllTextAsync(Path.Combine(settings.Folder, "config.json")));
        Ceilings ceilings = CeilingsOf(config, settings, _report.Limits!);
        var loading = new Loading(settings.Folder, settings.Device, settings.Runner, dtype, TypeOf(settings.KvDType));
        await MeasureEngineAsync(loading, ceilings);
        Add(_report with { Loading = loading.Measure(settings.Rounds) });
        return _report;
    }

    /// <summary>What a model could do at best.</summary>
    internal static Ceilings CeilingsOf(ImageGptConfig config, EngineSettings settings, MachineLimits limits) => new(config, BytesOf(settings.DType), BytesOf(settings.KvDType), limits);

    /// <summary>A data type by its name.</summary>
    internal static ScalarType TypeOf(string name) => name switch { "bfloat16" => ScalarType.BFloat16, "int8" => ScalarType.Int8, _ => ScalarType.Float32 };

    static double BytesOf(string name) => name switch { "bfloat16" => 2, "int8" => 1, _ => 4 };

    async Task MeasureEngineAsync(Loading loading, Ceilings ceilings)
    {
        int wanted = Math.Max(settings.Sessions.Max(), StreamsBeside + 2);
        int slots = 0;
        long start = Stopwatch.GetTimestamp();
        await using var loop = new EngineLoop(
            new EngineOptions(),
            () =>
            {
                IModelRunner runner = loading.CreateRunner(wanted);
                slots = runner.SlotCount;
                return runner;
            },
            TimeProvider.System,
            NullLogger.Instance);
        await loop.StartAsync();
        int[] sessions = [.. settings.Sessions.Select(count => Math.Min(count, slots)).Distinct()];
        Add(_report with
        {
            StartSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            Slots = slots,
            WeightBytes = ceilings.WeightBytes,
            CacheBytes = slots * ceilings.SlotBytes,
        });

        var engine = new EngineRun(loop, ceilings);
        await foreach (EngineResult result in engine.MeasureAsync(sessions, settings.Positions, settings.Tokens, settings.Rounds))
            Add(_report with { Decode = [.. _report.Decode, result] });
        await MeasurePromptsAsync(new PromptRun(loop, ceilings), loop.Shape.PositionCount, slots);
        if (settings.SoakSteps > 0)
            Add(_report with { SoakGrowth = await engine.SoakAsync(settings.SoakSteps) });
    }

    async Task MeasurePromptsAsync(PromptRun prompts, int positions, int slots)
    {
        foreach ((int sequences, int tokens) in new[] { (1, positions / 2), (1, positions), (8, positions) })
            Add(_report with { Prefill = [.. _report.Prefill, await prompts.PrefillAsync(sequences, tokens, settings.Rounds)] });
        Add(_report with { Samples = await prompts.SamplesAsync(settings.Rounds) });
        double imagesPerSecond = _report.Prefill[1].TokensPerSecond / positions;
        Add(_report with { Stretch = await prompts.StretchAsync(Math.Min(StreamsBeside, slots - 1), TokensBeside, imagesPerSecond) });
    }

    void Add(EngineReport report) => wrote(_report = report);
}
