using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>Measures device work by two events around it: what the host does meanwhile does not count. Its device's thread.</summary>
/// <param name="stream">The stream whose work is measured; null for the default stream, libtorch's.</param>
internal sealed class CudaTimer(CudaStream? stream = null) : IDisposable
{
    readonly nint _from = CreateEvent();
    readonly nint _to = CreateEvent();

    /// <summary>Queues the work between two events and waits for it.</summary>
    /// <returns>The time between them, accurate to about half a microsecond.</returns>
    public TimeSpan Measure(Action queue)
    {
        nint handle = stream?.Handle ?? 0;
        Check(cuEventRecord(_from, handle), nameof(cuEventRecord));
        queue();
        Check(cuEventRecord(_to, handle), nameof(cuEventRecord));
        Check(cuEventSynchronize(_to), nameof(cuEventSynchronize));
        Check(cuEventElapsedTime(out float milliseconds, _from, _to), nameof(cuEventElapsedTime));
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = cuEventDestroy_v2(_from);
        _ = cuEventDestroy_v2(_to);
    }

    static nint CreateEvent()
    {
        Check(cuEventCreate(out nint handle, 0), nameof(cuEventCreate));
        return handle;
    }
}
