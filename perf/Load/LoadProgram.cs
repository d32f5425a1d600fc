using System.Diagnostics;
using IgptCluster.DeviceCheck;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Load;

/// <summary>All results of a run.</summary>
/// <param name="InProcess">What the engine does in the process that measures.</param>
/// <param name="OverGrpc">What a silo does for a client; null until it is measured.</param>
internal sealed record LoadReport(EngineReport InProcess, OverGrpcReport? OverGrpc);

/// <summary>What a silo does for a client.</summary>
/// <param name="ReadySeconds">From the start of its process.</param>
/// <param name="ResidentBytes">Of its process after all requests.</param>
/// <param name="Overheads">What it adds to what the engine takes, without a store and with one, where the engine leaves a processor to the rest.</param>
internal sealed record OverGrpcReport(double ReadySeconds, IReadOnlyList<DecodeResult> Decode, IReadOnlyList<ImageResult> Images, long ResidentBytes, IReadOnlyList<OverheadResult> Overheads);

/// <summary>Measures the limits and the engine in this process, then a silo process from outside.</summary>
internal static class LoadProgram
{
    internal static async Task<int> RunAsync(EngineSettings settings, string json, string picture)
    {
        EngineReport inProcess = await new EngineProgram(settings, part => Results.Write(json, new LoadReport(part, null))).RunAsync();
        GC.Collect();
        (ImageGptConfig config, _) = ImageGptConfigJson.Parse(await File.ReadAllTextAsync(Path.Combine(settings.Folder, "config.json")));
        Ceilings ceilings = EngineProgram.CeilingsOf(config, settings, inProcess.Limits!);
        var types = new ServerTypes(settings.Device, settings.DType, settings.KvDType);
        OverGrpcReport overGrpc = await OverGrpcAsync(
            settings with { Sessions = [.. settings.Sessions.Select(count => Math.Min(count, inProcess.Slots)).Distinct()] },
            () => Server.StartAsync(settings.Folder, types, inProcess.Slots),
            address => new LoadRun(address, config, ceilings));

        // One processor is left to what surrounds the engine.
        Task<Server> Start(string? data) => Server.StartAsync(settings.Folder, types, inProcess.Slots, data, Math.Max(1, Environment.ProcessorCount - 1));
        overGrpc = overGrpc with { Overheads = [await OverheadAsync(Start, config, stored: false), await OverheadAsync(Start, config, stored: true)] };
        Draw(picture, inProcess, ceilings);
        Results.Write(json, new LoadReport(inProcess, overGrpc));
        EngineTables.Print(inProcess);
        LoadTables.Print(overGrpc, inProcess);
        Console.WriteLine($"Wrote {json} and {picture}");
        return 0;
    }

    static async Task<OverGrpcReport> OverGrpcAsync(EngineSettings settings, Func<Task<Server>> start, Func<Uri, LoadRun> load)
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

    static void Draw(string file, EngineReport report, Ceilings ceilings)
    {
        var points = new List<(string, RooflinePoint)>();
        points.AddRange(report.Decode.Where(one => one.Lengths == "even").Select(one => ("decoding: sequences at position", ceilings.DecodePoint(one.Sessions, one.Position, one.TokensPerSecond))));
        points.AddRange(report.Prefill.Select(one => ("read through", ceilings.PrefillPoint($"{one.Sequences} × {one.Tokens}", one.Sequences, one.Tokens, one.TokensPerSecond))));
        Roofline.Draw(file, $"{report.Model}, {report.DType} weights, {report.KvDType} KV cache, {report.Device}", report.Limits!, points);
    }
}
