using System.Diagnostics;
using System.Reflection;
using IgptCluster.Model;
using IgptCluster.Model.Cuda;

namespace IgptCluster.DeviceCheck.Probe;

/// <summary>What a CUDA device does with kernels of our own, without libtorch. Parts that were not reached are 0.</summary>
internal sealed record ProbeResult
{
    public required string Device { get; init; }

    public required string ComputeCapability { get; init; }

    public required int Multiprocessors { get; init; }

    /// <summary>Newest CUDA version that the driver serves.</summary>
    public required string Driver { get; init; }

    public required long MemoryBytes { get; init; }

    public required long FreeBytes { get; init; }

    /// <summary>Time in which the driver compiled the PTX, ms.</summary>
    public double CompileMs { get; init; }

    /// <summary>A copy of 4 GiB on the device, bytes read and written, GB/s; every byte was compared.</summary>
    public double CopyGBPerSecond { get; init; }

    /// <summary>bfloat16 products by <c>mma.sync</c> on numbers that stay in registers, GFLOP/s; the results were compared.</summary>
    public double ProductGFlopPerSecond { get; init; }

    /// <summary>Time for each of many launches on a stream, µs.</summary>
    public double LaunchUs { get; init; }

    /// <summary>Nodes of the graph.</summary>
    public int GraphNodes { get; init; }

    public int GraphReplays { get; init; }

    /// <summary>Time of a node of a replayed graph, each waiting for the one before, µs; the nodes that ran were counted.</summary>
    public double GraphNodeUs { get; init; }
}

/// <summary>Loads PTX through the driver, launches, captures, replays; each result is checked.</summary>
internal static class ProbeProgram
{
    const long CopyBytes = 4L << 30;
    const int Launches = 2000;
    const int Nodes = 200;
    const int Replays = 1000;
    const int Threads = 256;
    const int Rounds = 7;

    internal static int Run(string json)
    {
        if (!CudaDevice.TryOpen(0, out CudaDevice? device, out string reason))
        {
            Console.Error.WriteLine($"the probe needs a CUDA device; {reason}");
            return 1;
        }

        using (device)
            Measure(device!, json);
        return 0;
    }

    static void Measure(CudaDevice device, string json)
    {
        (long free, long total) = device.Memory;
        var result = new ProbeResult
        {
            Device = device.Name,
            ComputeCapability = device.ComputeCapability,
            Multiprocessors = device.MultiprocessorCount,
            Driver = CudaDevice.DriverVersion,
            MemoryBytes = total,
            FreeBytes = free,
        };
        Results.Write(json, result);
        Console.WriteLine($"{result.Device}, compute capability {result.ComputeCapability}, {result.Multiprocessors} multiprocessors, CUDA {result.Driver}, {free / 1e9:0.0} of {total / 1e9:0.0} GB free");

        long start = Stopwatch.GetTimestamp();
        device.Load(Ptx());
        Tell(result = result with { CompileMs = Stopwatch.GetElapsedTime(start).TotalMilliseconds }, $"PTX compiled in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0.0} ms");
        using var timer = new CudaTimer(device.Stream);
        int blocks = device.MultiprocessorCount * 4;
        Tell(result = result with { CopyGBPerSecond = Copy(device, timer, blocks) / 1e9 }, $"copy of {CopyBytes / 1e9:0.0} GB: {result.CopyGBPerSecond:0} GB/s read and written");
        Tell(result = result with { ProductGFlopPerSecond = Multiply(device, timer, blocks) / 1e9 }, $"mma.sync bf16: {result.ProductGFlopPerSecond:0} GFLOP/s");
        (double launch, double node) = Count(device, timer);
        Tell(result with { LaunchUs = launch, GraphNodes = Nodes, GraphReplays = Replays, GraphNodeUs = node }, $"launch on a stream: {launch:0.00} µs; node of a graph of {Nodes}, replayed {Replays} times: {node:0.000} µs");

        void Tell(ProbeResult now, string line)
        {
            Console.WriteLine(line);
            Results.Write(json, now);
        }
    }

    // Bytes read and written per second.
    static double Copy(CudaDevice device, CudaTimer timer, int blocks)
    {
        using CudaMemory source = new(device, CopyBytes);
        using CudaMemory target = new(device, CopyBytes);
        uint[] numbers = new uint[16 << 20];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (uint)i * 2654435761;

        // The same 64 MiB again and again, each with a mark of its own, so that what lands in the wrong place shows.
        long part = numbers.Length * sizeof(uint);
        for (long at = 0; at < CopyBytes; at += part)
        {
            numbers[0] = (uint)(at / part);
            source.Upload<uint>(numbers, at);
        }

        CudaKernel kernel = device.Kernel("probe_copy");
        double seconds = Median(timer, () => device.Launch(kernel, new CudaGrid(blocks, 1, 1, Threads), source.Address, target.Address, CopyBytes / 16));
        uint[] copied = new uint[numbers.Length];
        for (long at = 0; at < CopyBytes; at += part)
        {
            numbers[0] = (uint)(at / part);
            target.Download<uint>(copied, at);
            Expect(copied.AsSpan().SequenceEqual(numbers), $"probe_copy: bytes {at} to {at + part} are not those of the source");
        }

        return 2.0 * CopyBytes / seconds;
    }

    // FLOP per second.
    static double Multiply(CudaDevice device, CudaTimer timer, int blocks)
    {
        const int repeats = 1 << 15; // 8 · repeats · 16 stays below 2²⁴: every sum is exact in float32
        const int tile = 16 * 8;
        float[] left = [.. Enumerable.Range(0, 16 * 16).Select(i => (float)((i * 7 % 3) - 1))]; // by rows
        float[] right = [.. Enumerable.Range(0, 16 * 8).Select(i => (float)((i * 5 % 3) - 1))]; // by columns
        int warps = blocks * Threads / 32;
        using CudaMemory a = new(device, left.Length * sizeof(ushort));
        using CudaMemory b = new(device, right.Length * sizeof(ushort));
        using CudaMemory results = new(device, (long)warps * tile * sizeof(float));
        a.Upload<ushort>(Array.ConvertAll(left, BFloat16.Narrow));
        b.Upload<ushort>(Array.ConvertAll(right, BFloat16.Narrow));
        CudaKernel kernel = device.Kernel("probe_product");
        double seconds = Median(timer, () => device.Launch(kernel, new CudaGrid(blocks, 1, 1, Threads), a.Address, b.Address, results.Address, repeats));
        float[] actual = new float[warps * tile];
        results.Download<float>(actual);
        for (int i = 0; i < actual.Length; i++)
        {
            (int row, int column) = (i % tile / 8, i % 8);
            float expected = 8f * repeats * Enumerable.Range(0, 16).Sum(k => left[(row * 16) + k] * right[(column * 16) + k]);
            Expect(actual[i] == expected, $"probe_product: warp {i / tile}, row {row}, column {column} is {actual[i]}, not {expected}");
        }

        return 2.0 * 16 * 8 * 16 * 8 * repeats * warps / seconds;
    }

    // µs of a launch on a stream, and of a node of a graph.
    static (double Launch, double Node) Count(CudaDevice device, CudaTimer timer)
    {
        using CudaMemory counter = new(device, sizeof(uint));
        counter.Upload<uint>([0]);
        CudaKernel kernel = device.Kernel("probe_count");
        void Queue(int count)
        {
            for (int i = 0; i < count; i++)
                device.Launch(kernel, new CudaGrid(1, 1, 1, 32), counter.Address);
        }

        Queue(Launches); // to warm up
        double launch = timer.Measure(() => Queue(Launches)).TotalMicroseconds / Launches;
        using CudaGraph graph = device.Stream.Capture(() => Queue(Nodes));
        graph.Launch(); // to warm up
        double node = timer.Measure(() =>
        {
            for (int i = 0; i < Replays; i++)
                graph.Launch();
        }).TotalMicroseconds / Replays / Nodes;
        uint[] counted = new uint[1];
        counter.Download<uint>(counted);
        const uint expected = (2 * Launches) + ((Replays + 1) * Nodes);
        Expect(counted[0] == expected, $"probe_count: {counted[0]} launches and nodes ran, not {expected}");
        return (launch, node);
    }

    static double Median(CudaTimer timer, Action queue)
    {
        timer.Measure(queue); // to warm up
        return Enumerable.Range(0, Rounds).Select(_ => timer.Measure(queue).TotalSeconds).Order().ElementAt(Rounds / 2);
    }

    static void Expect(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidOperationException($"the device computed something else: {otherwise}");
    }

    static string Ptx()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("probe.ptx")!;
        return new StreamReader(stream).ReadToEnd();
    }
}
