using IgptCluster.DeviceCheck.Engine;
using Spectre.Console;

namespace IgptCluster.Load;

/// <summary>Prints what a silo did.</summary>
internal static class LoadTables
{
    internal static void Print(OverGrpcReport report, EngineReport engine)
    {
        Console.WriteLine($"Silo ready after {report.ReadySeconds:0.0} s");
        Table decode = new Table().Title("Over gRPC, decoding; ITL and TTFT in ms").AddColumns("sessions", "tokens/s", "ITL mean", "TTFT p50", "ceiling", "share");
        foreach (DecodeResult result in report.Decode)
            decode.AddRow($"{result.Sessions}", $"{result.TokensPerSecond:0.0}", $"{result.MeanGap:0.0}", $"{result.FirstToken:0}", $"{result.Ceiling:0}", $"{result.Share:P0}");
        AnsiConsole.Write(decode);
        Table images = new Table().Title("Over gRPC, images").AddColumns("per request", "images/s", "ceiling", "share");
        foreach (ImageResult result in report.Images)
            images.AddRow($"{result.Batch}", $"{result.ImagesPerSecond:0.00}", $"{result.Ceiling:0.00}", $"{result.Share:P0}");
        AnsiConsole.Write(images);
        Table overhead = new Table().Title("Beside the engine, ms, one request at a time").AddColumns("sessions", "first chunk p50", "p99", "end p50", "p99", "between chunks p99");
        foreach (OverheadResult one in report.Overheads)
            overhead.AddRow(one.Stored ? "stored" : "not stored", $"{one.FirstP50:0.00}", $"{one.FirstP99:0.00}", $"{one.LastP50:0.00}", $"{one.LastP99:0.00}", $"{one.GapP99:0.00}");
        AnsiConsole.Write(overhead);
        Console.WriteLine($"Silo resident: {report.ResidentBytes / 1e6:0} MB; weights {engine.WeightBytes / 1e6:0} MB, KV slots {engine.CacheBytes / 1e6:0} MB, rest {(report.ResidentBytes - engine.WeightBytes - engine.CacheBytes) / 1e6:0} MB");
    }
}
