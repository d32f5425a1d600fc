using Spectre.Console;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Prints an engine's report.</summary>
internal static class EngineTables
{
    internal static void Print(EngineReport report)
    {
        MachineLimits limits = report.Limits!;
        string machine = report.Device == "cpu"
            ? $"{limits.Threads} processors, {limits.ReadBytesPerSecond / 1e9:0.0} GB/s read"
            : $"{report.Device}, {limits.ReadBytesPerSecond / 1e9:0} GB/s read, {limits.CopyBytesPerSecond / 1e9:0} GB/s copied (read and written)";
        Console.WriteLine($"Machine: {machine}, {limits.FlopsPerSecond / 1e9:0} GFLOP/s {report.DType} products (libtorch's {limits.GemmFlopsPerSecond / 1e9:0})");
        Console.WriteLine($"Model: {report.Model} in {report.DType} on {report.Device} (kernels: {report.Runner}), KV cache in {report.KvDType}, {report.Slots} slots; {report.LibTorch}");
        if (report.Loading is { } loading)
            Console.WriteLine($"Loading {loading.Bytes / 1e6:0} MB from the page cache: {loading.LoadSeconds:0.000} s, reading them {loading.ReadSeconds:0.000} s ({loading.LoadSeconds / loading.ReadSeconds:0.0} times); engine ready after {report.StartSeconds:0.0} s");
        PrintDecode(report.Decode);
        PrintPrefill(report.Prefill);
        if (report.Samples is { } samples)
            Console.WriteLine($"Samples of one 512-token prompt: first token of one after {samples.One:0} ms, of all of 8 after {samples.Eight:0} ms ({samples.Eight / samples.One:0.00} times)");
        if (report.Stretch is { } stretch)
        {
            Console.WriteLine(
                $"{stretch.Streams} streams: ITL p50 {stretch.Alone50:0.0}, p99 {stretch.Alone99:0.0} ms; with {stretch.ImagesAsked:0.00} classifications a second ({stretch.ImagesDone:0.00} done): p50 {stretch.Mixed50:0.0}, p99 {stretch.Mixed99:0.0} ms ({stretch.Mixed99 / stretch.Alone99:0.00} times)");
        }

        if (report.SoakSteps > 0)
            Console.WriteLine($"{report.SoakSteps} steps: the process grew by {report.SoakGrowth / 1e6:0.0} MB from the first tenth on");
    }

    static void PrintDecode(IReadOnlyList<EngineResult> results)
    {
        Table table = new Table().Title("In process, decoding; ITL in ms, managed bytes per token").AddColumns("sequences", "position", "tokens/s", "p50", "p99", "bytes", "ceiling", "share");
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

    static void PrintPrefill(IReadOnlyList<PrefillResult> results)
    {
        Table table = new Table().Title("In process, read through").AddColumns("sequences", "tokens/s", "images/s", "ceiling tokens/s", "share");
        foreach (PrefillResult one in results)
            table.AddRow($"{one.Sequences} x {one.Tokens} tokens", $"{one.TokensPerSecond:0}", $"{one.TokensPerSecond / 1024:0.00}", $"{one.Ceiling:0}", $"{one.Share:P0}");
        AnsiConsole.Write(table);
    }
}
