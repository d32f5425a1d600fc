using System.Diagnostics;
using System.Numerics;
using IgptCluster.Model.Cpu;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>What this machine can do at best, measured in the same run as everything else.</summary>
/// <param name="Threads">Processors in use; 1 on a device.</param>
/// <param name="ReadBytesPerSecond">Memory bandwidth of reading: all processors together, or a sum on the device.</param>
/// <param name="CopyBytesPerSecond">Memory bandwidth of a copy of 4 GiB from device to device, bytes read and written; 0 on processors.</param>
/// <param name="GemmFlopsPerSecond">
/// Rate of a matrix product of libtorch in the data type served: [512 × 2048] · [2048 × 2048] on processors, [8192 × 8192]² on a device; 0 for int8.
/// </param>
/// <param name="ProductFlopsPerSecond">Rate of our own product on numbers that stay in the nearest cache, <see cref="ProductRate"/>; 0 on a device.</param>
internal sealed record MachineLimits(int Threads, double ReadBytesPerSecond, double CopyBytesPerSecond, double GemmFlopsPerSecond, double ProductFlopsPerSecond)
{
    const int BufferBytes = 256 << 20;
    const long DeviceBytes = 4L << 30;
    const int DeviceSide = 8192;
    const int SlowRows = 16;
    const double SlowFlops = 2e9;

    /// <summary>The faster of the two products: the limit.</summary>
    public double FlopsPerSecond => Math.Max(GemmFlopsPerSecond, ProductFlopsPerSecond);

    /// <summary>The faster of reading and copying: the limit.</summary>
    public double BytesPerSecond => Math.Max(ReadBytesPerSecond, CopyBytesPerSecond);

    /// <summary>Measures for some seconds.</summary>
    /// <param name="device"><c>cpu</c> or <c>cuda</c>.</param>
    /// <param name="dtype">The data type served.</param>
    internal static MachineLimits Measure(string device, ScalarType dtype)
    {
        using var timer = new DeviceTimer(device);
        using var inference = no_grad();
        return device == "cpu"
            ? new(Environment.ProcessorCount, MeasureReading(timer), 0, dtype == ScalarType.Int8 ? 0 : MeasureGemm(timer, dtype), ProductRate.Measure(dtype, Environment.ProcessorCount))
            : MeasureDevice(timer, new Device(device), dtype);
    }

    static double MeasureReading(DeviceTimer timer)
    {
        int threads = Environment.ProcessorCount;
        double[][] buffers = [.. Enumerable.Range(0, threads).Select(i => new double[BufferBytes / sizeof(double)])];
        Array.ForEach(buffers, buffer => Array.Fill(buffer, 1));
        double[] sums = new double[threads];
        return timer.Rate(
            (double)BufferBytes * threads,
            () => Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => sums[i] = Sum(buffers[i])));
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

    static double MeasureGemm(DeviceTimer timer, ScalarType dtype)
    {
        const int rows = 512;
        const int side = 2048;
        using var scope = NewDisposeScope();
        Tensor left = randn(rows, side).to_type(dtype);
        Tensor right = randn(side, side).to_type(dtype);
        Tensor result = empty(rows, side, dtype: dtype);
        left[..SlowRows].matmul(right); // to warm up
        var watch = Stopwatch.StartNew();
        left[..SlowRows].matmul(right);
        double rate = 2.0 * SlowRows * side * side / watch.Elapsed.TotalSeconds;
        if (rate < SlowFlops)
            return rate; // a type that libtorch has no fast product of here
        return timer.Rate(4.0 * 2 * rows * side * side, () =>
        {
            using var step = NewDisposeScope();
            for (int i = 0; i < 4; i++)
                result.copy_(left.matmul(right));
        });
    }

    static MachineLimits MeasureDevice(DeviceTimer timer, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        Tensor source = ones(DeviceBytes / sizeof(float), dtype: ScalarType.Float32, device: device);
        Tensor target = empty_like(source);
        double read = timer.Rate(DeviceBytes, () =>
        {
            using var step = NewDisposeScope();
            source.sum();
        });
        double copy = timer.Rate(2.0 * DeviceBytes, () => target.copy_(source));
        source.Dispose();
        target.Dispose();

        // Random numbers: products of zeros draw less power, and run faster than any real one.
        Tensor left = randn(DeviceSide, DeviceSide, device: device).to_type(dtype);
        Tensor right = randn(DeviceSide, DeviceSide, device: device).to_type(dtype);
        double gemm = timer.Rate(2.0 * DeviceSide * DeviceSide * DeviceSide, () =>
        {
            using var step = NewDisposeScope();
            left.matmul(right);
        });
        return new MachineLimits(1, read, copy, gemm, 0);
    }
}
