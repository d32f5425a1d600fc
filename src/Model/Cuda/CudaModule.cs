using System.Text;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>Kernels that the driver compiled from PTX for its device. Its device's thread.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    const int ErrorLog = 5; // CUjit_option
    const int ErrorLogBytes = 6;
    const int LogBytes = 8192;

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
    /// <exception cref="CudaException">It has none of that name.</exception>
    public CudaKernel Kernel(string name)
    {
        Check(cuModuleGetFunction(out nint function, _module, name), $"{nameof(cuModuleGetFunction)}({name})");
        return new CudaKernel(function, name);
    }

    /// <inheritdoc/>
    public void Dispose() => _ = cuModuleUnload(_module);
}
