using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>A queue of device work, beside the default stream. Its device's thread.</summary>
internal sealed class CudaStream : IDisposable
{
    const uint NonBlocking = 1; // CU_STREAM_NON_BLOCKING
    const int ThreadLocal = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do does not break the capture

    /// <summary>Makes one.</summary>
    public CudaStream()
    {
        Check(cuStreamCreate(out nint handle, NonBlocking), nameof(cuStreamCreate));
        Handle = handle;
    }

    /// <summary>The driver's handle.</summary>
    public nint Handle { get; }

    /// <summary>Waits until all that was queued is done.</summary>
    /// <exception cref="CudaException">Some of it failed.</exception>
    public void Synchronize() => Check(cuStreamSynchronize(Handle), nameof(cuStreamSynchronize));

    /// <summary>Records what is queued meanwhile, instead of running it.</summary>
    /// <param name="queue">Queues the work on this stream.</param>
    /// <returns>The graph, which the caller disposes.</returns>
    public CudaGraph Capture(Action queue)
    {
        Check(cuStreamBeginCapture_v2(Handle, ThreadLocal), nameof(cuStreamBeginCapture_v2));
        try
        {
            queue();
        }
        catch
        {
            // The capture must end all the same; its graph is of no use.
            if (cuStreamEndCapture(Handle, out nint broken) == 0)
                _ = cuGraphDestroy(broken);
            throw;
        }

        Check(cuStreamEndCapture(Handle, out nint graph), nameof(cuStreamEndCapture));
        return new CudaGraph(graph, this);
    }

    /// <inheritdoc/>
    public void Dispose() => _ = cuStreamDestroy_v2(Handle);
}
