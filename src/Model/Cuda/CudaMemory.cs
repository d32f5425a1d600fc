using System.Runtime.InteropServices;

namespace IgptCluster.Model.Cuda;

/// <summary>A block of device memory; freed when disposed. Its device's thread.</summary>
internal sealed class CudaMemory : IDisposable
{
    readonly ICudaDevice _device;

    /// <summary>Allocates; what it holds is undefined.</summary>
    /// <param name="device">The device, which must outlive it.</param>
    /// <param name="bytes">At least 1.</param>
    /// <exception cref="CudaException">There is not so much left.</exception>
    public CudaMemory(ICudaDevice device, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        (_device, Address, Bytes) = (device, device.Allocate(bytes), bytes);
    }

    /// <summary>Where it begins, on the device.</summary>
    public ulong Address { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>Copies values from the host.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="offset">First byte to write.</param>
    public void Upload<T>(ReadOnlySpan<T> source, long offset = 0)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes.Length, Bytes);
        _device.Upload(Address + (ulong)offset, bytes);
    }

    /// <summary>Copies values to the host, after all that was queued.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="offset">First byte to copy.</param>
    public void Download<T>(Span<T> target, long offset = 0)
        where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(target);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes.Length, Bytes);
        _device.Download(bytes, Address + (ulong)offset);
    }

    /// <inheritdoc/>
    public void Dispose() => _device.Free(Address);
}
