using System.Diagnostics;
using IgptCluster.Model.Cuda;

namespace IgptCluster.DeviceCheck;

/// <summary>Times work that libtorch queues: by the host's clock on the CPU, by events of the device on CUDA. One thread.</summary>
internal sealed class DeviceTimer : IDisposable
{
    const int Rounds = 7;

    readonly CudaDevice? _device;
    readonly CudaTimer? _events;

    /// <param name="device"><c>cpu</c>, or <c>cuda</c> for the first CUDA device.</param>
    /// <exception cref="InvalidOperationException">There is no CUDA device: says why.</exception>
    internal DeviceTimer(string device)
    {
        if (device == "cpu")
            return;
        if (!CudaDevice.TryOpen(0, out _device, out string reason))
            throw new InvalidOperationException($"--device cuda needs a CUDA device; {reason}");
        _events = new CudaTimer();
    }

    /// <summary>Median rate of several rounds, after one to warm up.</summary>
    /// <param name="amount">What one round does, in bytes or operations.</param>
    /// <param name="queue">Does it, or queues it on the device's default stream.</param>
    /// <returns>Amount per second.</returns>
    internal double Rate(double amount, Action queue)
    {
        queue();
        double[] seconds = [.. Enumerable.Range(0, Rounds).Select(_ => Seconds(queue)).Order()];
        return amount / seconds[Rounds / 2];
    }

    public void Dispose()
    {
        _events?.Dispose();
        _device?.Dispose();
    }

    double Seconds(Action queue)
    {
        if (_events is not null)
            return _events.Measure(queue).TotalSeconds;
        long start = Stopwatch.GetTimestamp();
        queue();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
