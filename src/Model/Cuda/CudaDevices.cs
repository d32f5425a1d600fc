using System.Text;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>The CUDA devices of this machine, as its driver offers them (<c>CUDA_VISIBLE_DEVICES</c> counts). Any thread.</summary>
public static class CudaDevices
{
    const int NameBytes = 256;

    /// <summary>Looks for devices.</summary>
    /// <param name="reason">Why there are none; empty where there are.</param>
    /// <returns>How many there are.</returns>
    public static int Count(out string reason)
    {
        try
        {
            int result = cuInit(0);
            int count = 0;
            if (result == 0)
                result = cuDeviceGetCount(out count);
            reason = result != 0 ? $"the CUDA driver answers {Describe(result)}" : count == 0 ? "the CUDA driver offers none" : "";
            return count;
        }
        catch (DllNotFoundException)
        {
            reason = "there is no CUDA driver: libcuda.so.1 is not found";
            return 0;
        }
        catch (EntryPointNotFoundException failure)
        {
            reason = $"the CUDA driver is too old: {failure.Message}";
            return 0;
        }
    }

    /// <summary>What a device is, in its maker's words, and its use.</summary>
    /// <param name="ordinal">The device, from 0.</param>
    /// <returns>Its name, empty where there is no such device; and the share of the last second or so in which it computed, 0 … 1, null where that is not told.</returns>
    public static (string Name, double? Utilization) Describe(int ordinal) =>
        ordinal < Count(out _) && cuDeviceGet(out int device, ordinal) == 0 ? (NameOf(device), Nvml.Utilization(device)) : ("", null);

    /// <summary>A device's name.</summary>
    /// <param name="device">The driver's handle.</param>
    /// <exception cref="CudaException">There is no such device.</exception>
    internal static unsafe string NameOf(int device)
    {
        byte* name = stackalloc byte[NameBytes];
        Check(cuDeviceGetName(name, NameBytes, device), nameof(cuDeviceGetName));
        return Encoding.UTF8.GetString(new ReadOnlySpan<byte>(name, NameBytes)).Split('\0')[0];
    }
}
