using System.Text;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>Kernels that the driver compiled from PTX for its device. Its device's thread.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    const int ErrorLog = 5; // CUjit_option
    const int ErrorLogBytes = 6;
    const int LogBytes = 8192;
    const int NotFound = 500; // CUDA_ERROR_NOT_FOUND

    readonly nint _module;

    /// <summary>Compiles.</summary>
    /// <param name="ptx">The PTX text.</param>
    /// <exception cref="CudaException">It does not compile: with the driver's log.</exception>
    public CudaModule(string ptx)
    {
        byte[] image = Encoding.UTF8.GetBytes(ptx + "\0");
        byte* log = stackalloc byte[LogBytes];
        int* options = stackalloc int[] { ErrorLog, ErrorLogBytes };
        nint* values = stackalloc nint[] { (nint)log, LogBytes };
        log[0] = 0;
        fixed (byte* text = image)
        {
            int result = cuModuleLoadDataEx(out _module, text, 2, options, values);
            if (result != 0)
            {
                string words = Encoding.UTF8.GetString(new ReadOnlySpan<byte>(log, LogBytes)).Split('\0')[0].Trim();
                throw new CudaException($"{nameof(cuModuleLoadDataEx)} failed: {Describe(result)}{(words.Length > 0 ? $"; the driver's log: {words}" : "")}", result);
            }
        }
    }

    /// <summary>One of its kernels.</summary>
    /// <returns>False where it has none of that name.</returns>
    public bool TryFind(string name, out CudaKernel kernel)
    {
        int result = cuModuleGetFunction(out nint function, _module, name);
        kernel = new CudaKernel(function, name);
        if (result == NotFound)
            return false;
        Check(result, $"{nameof(cuModuleGetFunction)}({name})");
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = cuModuleUnload(_module);
}
