namespace IgptCluster.Model.Cuda;

/// <summary>A kernel of a device, valid as long as the device.</summary>
/// <param name="Handle">The device's own number of it.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct CudaKernel(nint Handle, string Name);

/// <summary>How many threads run a kernel.</summary>
/// <param name="X">Blocks, 1 … 2³¹ − 1.</param>
/// <param name="Y">Blocks, 1 … 65,535.</param>
/// <param name="Z">Blocks, 1 … 65,535.</param>
/// <param name="Threads">Threads of a block, 1 … 1,024.</param>
internal readonly record struct CudaGrid(int X, int Y, int Z, int Threads);

/// <summary>
/// Memory and kernels of one device: <see cref="CudaDevice"/> through the driver, and, in tests, the same kernels' sources on a processor.
/// Work is done in the order in which it is queued. Opened, used and disposed on one thread.
/// </summary>
internal interface ICudaDevice : IDisposable
{
    /// <summary>The device's name.</summary>
    string Name { get; }

    /// <summary>Device memory in bytes: what is free now, and all of it.</summary>
    (long Free, long Total) Memory { get; }

    /// <summary>Allocates memory whose first byte is at a multiple of 256; what it holds is undefined.</summary>
    /// <exception cref="CudaException">There is not so much left.</exception>
    ulong Allocate(long bytes);

    /// <summary>Frees what was allocated, after all that was queued.</summary>
    void Free(ulong address);

    /// <summary>Copies to the device; the source may change as soon as the call returns.</summary>
    void Upload(ulong target, ReadOnlySpan<byte> source);

    /// <summary>Copies to the host, after all that was queued, and waits for it.</summary>
    /// <exception cref="CudaException">Some of it failed.</exception>
    void Download(Span<byte> target, ulong source);

    /// <summary>A kernel by its name.</summary>
    /// <exception cref="CudaException">There is none of that name.</exception>
    CudaKernel Kernel(string name);

    /// <summary>Queues a kernel and returns at once.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="grid">Blocks and threads.</param>
    /// <param name="parameters">Its parameters in order: addresses and whole numbers as they are (a 32-bit parameter takes the lower half), floats by their bits.</param>
    /// <exception cref="CudaException">It cannot be launched, or an earlier one failed meanwhile.</exception>
    void Launch(CudaKernel kernel, CudaGrid grid, params ReadOnlySpan<ulong> parameters);

    /// <summary>Records the kernels that are queued meanwhile, with their parameters as they are now, instead of running them.</summary>
    /// <param name="queue">Launches kernels, and does nothing else with the device.</param>
    /// <returns>The graph, which the caller disposes before the device.</returns>
    /// <exception cref="CudaException">It cannot be recorded.</exception>
    ICudaGraph Capture(Action queue);
}
