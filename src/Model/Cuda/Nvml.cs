using System.Runtime.InteropServices;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>What NVIDIA's management library tells of a device, without a context on it. It comes with the driver, and containers may lack it. Any thread.</summary>
internal static unsafe partial class Nvml
{
    const string Library = "libnvidia-ml.so.1";
    const int BusIdBytes = 32;

    static readonly Lazy<bool> IsThere = new(() =>
    {
        try
        {
            return nvmlInit_v2() == 0;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    });

    /// <summary>Memory in bytes.</summary>
    /// <param name="device">The CUDA driver's handle.</param>
    /// <param name="memory">What is free, and all of it.</param>
    /// <returns>False where it is not told.</returns>
    internal static bool TryReadMemory(int device, out (long Free, long Total) memory)
    {
        memory = default;
        ulong* values = stackalloc ulong[3]; // nvmlMemory_t: total, free, used
        if (!TryFind(device, out nint handle) || nvmlDeviceGetMemoryInfo(handle, values) != 0)
            return false;
        memory = ((long)values[1], (long)values[0]);
        return true;
    }

    /// <summary>Share of the last second or so in which a kernel ran, 0 … 1; null where it is not told.</summary>
    /// <param name="device">The CUDA driver's handle.</param>
    internal static double? Utilization(int device)
    {
        uint* values = stackalloc uint[2]; // nvmlUtilization_t: gpu, memory, in percent
        return TryFind(device, out nint handle) && nvmlDeviceGetUtilizationRates(handle, values) == 0 ? values[0] / 100.0 : null;
    }

    static bool TryFind(int device, out nint handle)
    {
        handle = 0;
        byte* bus = stackalloc byte[BusIdBytes];
        return IsThere.Value && cuDeviceGetPCIBusId(bus, BusIdBytes, device) == 0 && nvmlDeviceGetHandleByPciBusId_v2(bus, out handle) == 0;
    }

    [LibraryImport(Library)]
    private static partial int nvmlInit_v2();

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetHandleByPciBusId_v2(byte* bus, out nint device);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetMemoryInfo(nint device, ulong* memory);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetUtilizationRates(nint device, uint* utilization);
}
