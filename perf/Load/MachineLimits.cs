using System.Diagnostics;
using System.Numerics;
using IgptCluster.Model;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>What this machine can do at best, measured in the same run as everything else.</summary>
/// <param name="Threads">Processors in use.</param>
/// <param name="ReadBytesPerSecond">Memory bandwidth of reading, all processors together.</param>
/// <param name="GemmFlopsPerSecond">Rate of a matrix product of libtorch in the data type served, [512 × 2048] · [2048 × 2048]; 0 for int8.</param>
/// <param name="ProductFlopsPerSecond">Rate of our own product on numbers that stay in the nearest cache, <see cref="ProductRate"/>.</param>
internal sealed record MachineLimits(int Threads, double ReadBytesPerSecond, double GemmFlopsPerSecond, double ProductFlopsPerSecond)
{
    const int Rounds = 7;
    const int BufferBytes = 256 << 20;
    const int SlowRows = 16;
    const double SlowFlops = 2e9;

    /// <summary>The faster of the two products: the limit.</summary>
    public double FlopsPerSecond => Math.Max(GemmFlopsPerSecond, ProductFlopsPerSecond);

    internal static MachineLimits Measure(string device, ScalarType dtype) => device == "cpu"
        ? new(Environment.ProcessorCount, MeasureReading(), dtype == ScalarType.Int8 ? 0 : MeasureGemm(device, dtype), ProductRate.Measure(dtype, Environment.ProcessorCount))
        : new(1, MeasureReading(device), MeasureGemm(device, dtype), 0);

    static double MeasureReading()
    {
        int threads = Environment.ProcessorCount;
        double[][] buffers = [.. Enumerable.Range(0, threads).Select(i => new double[BufferBytes / sizeof(double)])];
        Array.ForEach(buffers, buffer => Array.Fill(buffer, 1));
        double[] sums = new double[threads];
        return Median(() =>
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => sums[i] = Sum(buffers[i]));
            return (double)BufferBytes * threads;
        });
    }

    // On a device: a sum reads all once and writes next to nothing.
    static double MeasureReading(string device)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        Tensor numbers = ones(BufferBytes, dtype: ScalarType.Float32, device: new Device(device));
        return Median(() =>
        {
            using var step = NewDisposeScope();
            numbers.sum();
            Finish(device);
            return (double)BufferBytes * sizeof(float);
        });
    }

    static void Finish(string device)
    {
        if (device != "cpu")
            cuda.synchronize();
    }

    static double Sum(double[] buffer)
    {
        ReadOnlySpan<Vector<double>> values = System.Runtime.InteropServices.MemoryMarshal.Cast<double, Vector<double>>(buffer);
        (Vector<double> a, Vector<double> b, Vector<double> c, Vector<double> d) = (default, default, default, default);
        for (int i = 0; i + 3 < values.Length; i += 4)
        {
            (a, b, c, d) = (a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]);
        }

        return Vector.Sum(a + b + c + d);
    }

    static double MeasureGemm(string device, ScalarType dtype)
    {
        const int rows = 512;
        const int side = 2048;
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        Tensor left = randn(rows, side).to_type(dtype).to(new Device(device));
        Tensor right = randn(side, side).to_type(dtype).to(new Device(device));
        Tensor result = empty(rows, side, dtype: dtype, device: new Device(device));
        left[..SlowRows].matmul(right); // to warm up
        Finish(device);
        var watch = Stopwatch.StartNew();
        left[..SlowRows].matmul(right);
        Finish(device);
        double rate = 2.0 * SlowRows * side * side / watch.Elapsed.TotalSeconds;
        if (rate < SlowFlops)
            return rate; // a type that libtorch has no fast product of here
        return Median(() =>
        {
            using var step = NewDisposeScope();
            for (int i = 0; i < 4; i++)
            {
                result.copy_(left.matmul(right));
            }

            Finish(device);
            return 4.0 * 2 * rows * side * side;
        });
    }

    /// <summary>Median rate of several rounds, after one to warm up.</summary>
    static double Median(Func<double> work)
    {
        work();
        var rates = new List<double>();
        for (int i = 0; i < Rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            double amount = work();
            rates.Add(amount / watch.Elapsed.TotalSeconds);
        }

        return rates.Order().ElementAt(Rounds / 2);
    }
}
