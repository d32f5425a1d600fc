using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Cuda;

/// <summary>Keys and values of all slots on a device, layer by layer, and one slot more that rows of padding write to. Its device's thread.</summary>
internal sealed class CudaSlots : IDisposable
{
    const int Threads = 128;
    const int MostBlocks = 64; // of one head's keys

    readonly ICudaDevice _device;
    readonly CudaLayout _layout;
    readonly CudaKernel _copy;
    readonly CudaMemory _memory;

    /// <summary>Allocates them; what they hold is undefined.</summary>
    /// <param name="device">The device, which must outlive them.</param>
    /// <param name="layout">The model's sizes.</param>
    /// <param name="most">Slots wanted, at least 1; fewer where the device's memory holds no more.</param>
    /// <exception cref="CudaException">It holds not even one.</exception>
    internal CudaSlots(ICudaDevice device, CudaLayout layout, int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        (_device, _layout) = (device, layout);
        _copy = device.Kernel("copy_prefix");
        (_memory, Count) = Allocate(most);
    }

    /// <summary>Slots that sequences may have.</summary>
    internal int Count { get; }

    /// <summary>The slot of rows that are padding: what they write there is never read by others.</summary>
    internal int Scratch => Count;

    long LayerBytes => (Count + 1) * _layout.SlotBytes / _layout.Config.LayerCount;

    /// <summary>Where a layer's slots begin.</summary>
    internal ulong OfLayer(int layer) => _memory.Address + (ulong)(layer * LayerBytes);

    /// <summary>Queues the copy of a prefix, in all layers.</summary>
    internal void Copy(PrefixCopy copy)
    {
        (int parts, long words) = (2 * _layout.Config.HeadCount, (long)_layout.Positions(copy.Length) * _layout.HeadStride * _layout.Size / sizeof(uint));
        int blocks = (int)Math.Min(MostBlocks, (words + (4 * Threads) - 1) / (4 * Threads));
        _device.Launch(
            _copy,
            new CudaGrid(blocks, parts * _layout.Config.LayerCount, 1, Threads),
            _memory.Address,
            (ulong)LayerBytes / sizeof(uint),
            (uint)copy.SourceSlot,
            (uint)copy.TargetSlot,
            (uint)parts,
            (ulong)_layout.PartBytes / sizeof(uint),
            (ulong)words);
    }

    // What is free says too much: others allocate meanwhile, and memory is in pieces.
    (CudaMemory Memory, int Count) Allocate(int count)
    {
        while (true)
        {
            try
            {
                return (new CudaMemory(_device, (count + 1) * _layout.SlotBytes), count);
            }
            catch (CudaException failure) when (failure.IsOutOfMemory && count > 1)
            {
                count -= Math.Max(1, count / 8);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
