using System.Runtime.CompilerServices;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>A block of device memory; freed when disposed. Its device's thread.</summary>
internal sealed unsafe class CudaMemory : IDisposable
{
    /// <summary>Allocates; what it holds is undefined.</summary>
    /// <param name="bytes">At least 1.</param>
    /// <exception cref="CudaException">There is not so much left.</exception>
    public CudaMemory(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        Check(cuMemAlloc_v2(out ulong address, (nuint)bytes), nameof(cuMemAlloc_v2));
        (Address, Bytes) = (address, bytes);
    }

    /// <summary>Where it begins, on the device.</summary>
    public ulong Address { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>Sets all bytes and waits.</summary>
    public void Fill(byte value)
    {
        Check(cuMemsetD8_v2(Address, value, (nuint)Bytes), nameof(cuMemsetD8_v2));
        Settle();
    }

    /// <summary>Copies values from the host and waits.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="offset">First byte to write.</param>
    public void Upload<T>(ReadOnlySpan<T> source, long offset = 0)
        where T : unmanaged
    {
        long bytes = (long)source.Length * Unsafe.SizeOf<T>();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, Bytes);
        fixed (T* from = source)
            Check(cuMemcpyHtoD_v2(Address + (ulong)offset, from, (nuint)bytes), nameof(cuMemcpyHtoD_v2));
        Settle();
    }

    /// <summary>Copies values to the host and waits; what other streams still write must be waited for before.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="offset">First byte to copy.</param>
    public void Download<T>(Span<T> target, long offset = 0)
        where T : unmanaged
    {
        long bytes = (long)target.Length * Unsafe.SizeOf<T>();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, Bytes);
        fixed (T* to = target)
            Check(cuMemcpyDtoH_v2(to, Address + (ulong)offset, (nuint)bytes), nameof(cuMemcpyDtoH_v2));
    }

    /// <inheritdoc/>
    public void Dispose() => _ = cuMemFree_v2(Address);

    // Both go by the default stream and may return before they are done; our streams do not wait for that one.
    static void Settle() => Check(cuStreamSynchronize(0), nameof(cuStreamSynchronize));
}
