using System.Runtime.InteropServices;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// The functions of the CUDA driver API that are used, by their names in NVIDIA's <c>cuda.h</c>. The library comes with the driver: no CUDA toolkit
/// and no libtorch is needed. Handles and device addresses are plain numbers; each function returns a <c>CUresult</c>, 0 for success.
/// </summary>
internal static unsafe partial class CudaDriver
{
    const string Library = "libcuda.so.1";

    /// <summary>Throws where a call failed.</summary>
    /// <param name="result">What it returned.</param>
    /// <param name="function">Its name.</param>
    /// <exception cref="CudaException">The call failed: names function, error and CUDA's description of it.</exception>
    internal static void Check(int result, string function)
    {
        if (result != 0)
            throw new CudaException($"{function} failed: {Describe(result)}", result);
    }

    /// <summary>Name and description of an error.</summary>
    internal static string Describe(int result)
    {
        string name = cuGetErrorName(result, out nint text) == 0 ? Marshal.PtrToStringUTF8(text)! : $"CUDA error {result}";
        return cuGetErrorString(result, out text) == 0 ? $"{name} ({Marshal.PtrToStringUTF8(text)})" : name;
    }

    [LibraryImport(Library)]
    internal static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    internal static partial int cuGetErrorName(int error, out nint text);

    [LibraryImport(Library)]
    internal static partial int cuGetErrorString(int error, out nint text);

    [LibraryImport(Library)]
    internal static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGetPCIBusId(byte* name, int length, int device);

    [LibraryImport(Library)]
    internal static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport(Library)]
    internal static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    internal static partial int cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    internal static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    internal static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial int cuMemAlloc_v2(out ulong address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int cuMemFree_v2(ulong address);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyHtoDAsync_v2(ulong target, void* source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyDtoHAsync_v2(void* target, ulong source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuModuleLoadDataEx(out nint module, void* image, uint optionCount, int* options, nint* values);

    [LibraryImport(Library)]
    internal static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    internal static partial int cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** parameters, void** extra);

    [LibraryImport(Library)]
    internal static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    internal static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    internal static partial int cuStreamBeginCapture_v2(nint stream, int mode);

    [LibraryImport(Library)]
    internal static partial int cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library)]
    internal static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    internal static partial int cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    internal static partial int cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    internal static partial int cuEventCreate(out nint handle, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuEventRecord(nint handle, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuEventSynchronize(nint handle);

    [LibraryImport(Library)]
    internal static partial int cuEventElapsedTime(out float milliseconds, nint from, nint to);

    [LibraryImport(Library)]
    internal static partial int cuEventDestroy_v2(nint handle);
}
