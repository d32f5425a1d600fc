using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>A kernel of a module, which must outlive it.</summary>
/// <param name="function">The driver's handle.</param>
/// <param name="name">Its name, for errors.</param>
internal sealed unsafe class CudaKernel(nint function, string name)
{
    /// <summary>Queues it, or records it where the stream is captured; returns at once.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="blocks">Blocks, at least 1.</param>
    /// <param name="threads">Threads of a block, 1 … 1,024.</param>
    /// <param name="parameters">Its parameters in order: addresses and whole numbers as they are (a 32-bit parameter takes the lower half), floats by their bits.</param>
    /// <exception cref="CudaException">It cannot be launched, or an earlier one failed meanwhile.</exception>
    public void Launch(CudaStream stream, int blocks, int threads, params ReadOnlySpan<ulong> parameters)
    {
        fixed (ulong* values = parameters)
        {
            void** addresses = stackalloc void*[parameters.Length];
            for (int i = 0; i < parameters.Length; i++)
                addresses[i] = values + i;
            Check(cuLaunchKernel(function, (uint)blocks, 1, 1, (uint)threads, 1, 1, 0, stream.Handle, addresses, null), $"{nameof(cuLaunchKernel)}({name})");
        }
    }
}
