using System.Diagnostics;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cpu;

/// <summary>How fast this machine multiplies at best: <see cref="TileKernel"/> on numbers that stay in the nearest cache. The limit that measurements are held against.</summary>
public static unsafe class ProductRate
{
    const int Lanes = 128; // a panel and a tile fill two thirds of the nearest cache at most
    const int Rounds = 7;
    const int Calls = 20_000;

    /// <summary>Measures; takes a fraction of a second.</summary>
    /// <param name="type">float32, bfloat16 or int8.</param>
    /// <param name="threads">Threads at once, at least 1.</param>
    /// <returns>Multiplications and additions per second, all threads together, median of some rounds; 0 where the processor has no such vectors.</returns>
    public static double Measure(ScalarType type, int threads)
    {
        TileType tile = type switch { ScalarType.Float32 => TileType.Float32, ScalarType.BFloat16 => TileType.BFloat16, _ => TileType.Int8 };
        if (!TileKernel.IsSupported)
            return 0;
        RunCalls(tile);
        double[] rates = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(_ => new Thread(() => RunCalls(tile)))];
            Array.ForEach(others, thread => thread.Start());
            RunCalls(tile);
            Array.ForEach(others, thread => thread.Join());
            rates[round] = 2.0 * TileKernel.MaxRows * TileKernel.Columns * Lanes * TileKernel.PerLane(tile) * Calls * threads / watch.Elapsed.TotalSeconds;
        }

        Array.Sort(rates);
        return rates[Rounds / 2];
    }

    static void RunCalls(TileType type)
    {
        int stride = TileKernel.RowStride(type, Lanes * TileKernel.PerLane(type));
        using var rows = new AlignedMemory(TileKernel.MaxRows * stride);
        using var panel = new AlignedMemory(TileKernel.Columns * Lanes * sizeof(float));
        using var sums = new AlignedMemory(TileKernel.MaxRows * TileKernel.Columns * sizeof(float));
        var multiply = TileKernel.For(type, TileKernel.MaxRows);
        for (int call = 0; call < Calls; call++)
            multiply(rows.Start, stride, panel.Start, Lanes, sums.Floats, TileKernel.Columns * sizeof(float), null);
    }
}
