using Spectre.Console;

namespace IgptCluster.Load;

/// <summary>Prints a report.</summary>
internal static class LoadTables
{
    internal static void Print(LoadReport report)
    {
        MachineLimits limits = report.Limits;
        Console.WriteLine($"Machine: {(report.Device == "cpu" ? $"{limits.Threads} processors" : report.Device)}, {limits.ReadBytesPerSecond / 1e9:0.0} GB/s read, {limits.FlopsPerSecond / 1e9:0} GFLOP/s {report.DType} products (libtorch's {limits.GemmFlopsPerSecond / 1e9:0})");
        Console.WriteLine($"Model: {report.Model} in {report.DType} on {report.Device}, KV cache in {report.KvDType}");
        LoadingResult loading = report.InProcess.Loading;
        Console.WriteLine($"Loading {loading.Bytes / 1e6:0} MB from the page cache: {loading.LoadSeconds:0.000} s, reading them {loading.ReadSeconds:0.000} s ({loading.LoadSeconds / loading.ReadSeconds:0.0} times); silo ready after {report.OverGrpc.ReadySeconds:0.0} s");
        Print(report.InProcess.Engine);
        Table prefill = Titled("In process, read through").AddColumns("sequences", "tokens/s", "images/s", "ceiling tokens/s", "share");
        foreach (PrefillResult one in report.InProcess.Prefill)
            prefill.AddRow($"{one.Sequences} x {one.Tokens} tokens", $"{one.TokensPerSecond:0}", $"{one.TokensPerSecond / 1024:0.00}", $"{one.Ceiling:0}", $"{one.Share:P0}");
        AnsiConsole.Write(prefill);
        Console.WriteLine($"Samples of one 512-token prompt: first token of one after {report.InProcess.Samples.One:0} ms, of all of 8 after {report.InProcess.Samples.Eight:0} ms ({report.InProcess.Samples.Eight / report.InProcess.Samples.One:0.00} times)");
        StretchResult stretch = report.InProcess.Stretch;
        Console.WriteLine(
            $"{stretch.Streams} streams: ITL p50 {stretch.Alone50:0.0}, p99 {stretch.Alone99:0.0} ms; with {stretch.ImagesAsked:0.00} classifications a second ({stretch.ImagesDone:0.00} done): p50 {stretch.Mixed50:0.0}, p99 {stretch.Mixed99:0.0} ms ({stretch.Mixed99 / stretch.Alone99:0.00} times)");
        if (report.InProcess.SoakSteps > 0)
            Console.WriteLine($"{report.InProcess.SoakSteps} steps: the process grew by {report.InProcess.SoakGrowth / 1e6:0.0} MB from the first tenth on");
        Print(report.OverGrpc.Decode);
        Table images = Titled("Over gRPC, images").AddColumns("per request", "images/s", "ceiling", "share");
        foreach (ImageResult result in report.OverGrpc.Images)
            images.AddRow($"{result.Batch}", $"{result.ImagesPerSecond:0.00}", $"{result.Ceiling:0.00}", $"{result.Share:P0}");
        AnsiConsole.Write(images);
        Table overhead = Titled("Beside the engine, ms, one request at a time").AddColumns("sessions", "first chunk p50", "p99", "end p50", "p99", "between chunks p99");
        foreach (OverheadResult one in report.OverGrpc.Overheads)
            overhead.AddRow(one.Stored ? "stored" : "not stored", $"{one.FirstP50:0.00}", $"{one.FirstP99:0.00}", $"{one.LastP50:0.00}", $"{one.LastP99:0.00}", $"{one.GapP99:0.00}");
        AnsiConsole.Write(overhead);
        Console.WriteLine($"Silo resident: {report.OverGrpc.ResidentBytes / 1e6:0} MB; weights {report.WeightBytes / 1e6:0} MB, KV slots {report.CacheBytes / 1e6:0} MB, rest {(report.OverGrpc.ResidentBytes - report.WeightBytes - report.CacheBytes) / 1e6:0} MB");
    }

    static Table Titled(string title) => new Table().Title(title);

    static void Print(IReadOnlyList<EngineResult> results)
    {
        Table table = Titled("In process, decoding; ITL in ms, managed bytes per token").AddColumns("sequences", "position", "tokens/s", "p50", "p99", "bytes", "ceiling", "share");
        foreach (EngineResult result in results)
        {
            table.AddRow(
                $"{result.Sessions}",
                result.Lengths == "even" ? $"{result.Position}" : $"{result.Position} ragged",
                $"{result.TokensPerSecond:0.0}",
                $"{result.GapP50:0.0}",
                $"{result.GapP99:0.0}",
                $"{result.AllocatedPerToken:0}",
                $"{result.Ceiling:0}",
                $"{result.Share:P0}");
        }

        AnsiConsole.Write(table);
    }

    static void Print(IReadOnlyList<DecodeResult> results)
    {
        Table table = Titled("Over gRPC, decoding; ITL and TTFT in ms").AddColumns("sessions", "tokens/s", "ITL mean", "TTFT p50", "ceiling", "share");
        foreach (DecodeResult result in results)
            table.AddRow($"{result.Sessions}", $"{result.TokensPerSecond:0.0}", $"{result.MeanGap:0.0}", $"{result.FirstToken:0}", $"{result.Ceiling:0}", $"{result.Share:P0}");
        AnsiConsole.Write(table);
    }
}
