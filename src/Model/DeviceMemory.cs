using System.Globalization;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Model;

/// <summary>How much memory a device has. Any thread.</summary>
public static class DeviceMemory
{
    const string Cuda = "cuda:";
    const string MemInfo = "/proc/meminfo";
    const string Available = "MemAvailable:";

    /// <summary>The memory of a device in bytes: what is free now, for whatever process, and all that this process may use.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda:0</c> …</param>
    /// <exception cref="InvalidOperationException">There is no such device.</exception>
    public static (long Free, long Total) Of(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.StartsWith(Cuda, StringComparison.Ordinal) ? OfCuda(int.Parse(device.AsSpan(Cuda.Length), CultureInfo.InvariantCulture)) : OfProcess();
    }

    static (long Free, long Total) OfCuda(int ordinal)
    {
        if (ordinal < CudaDevices.Count(out _) && CudaDriver.cuDeviceGet(out int handle, ordinal) == 0 && Nvml.TryReadMemory(handle, out (long Free, long Total) memory))
        {
            return memory;
        }

        // Takes a context, which costs time and memory where there is none yet.
        if (!CudaDevice.TryOpen(ordinal, out CudaDevice? device, out string reason))
        {
            throw new InvalidOperationException(reason);
        }

        using (device)
        {
            try
            {
                return device!.Memory;
            }
            catch (CudaException failure)
            {
                throw new InvalidOperationException($"cuda:{ordinal}: {failure.Message}", failure);
            }
        }
    }

    /// <summary>A container's limit counts as the machine's memory does.</summary>
    static (long Free, long Total) OfProcess()
    {
        long total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long free = Math.Max(0, total - Environment.WorkingSet);
        return (File.Exists(MemInfo) && Array.Find(File.ReadAllLines(MemInfo), line => line.StartsWith(Available, StringComparison.Ordinal)) is { } line
            ? Math.Min(free, long.Parse(line.AsSpan(Available.Length).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture) << 10)
            : free, total);
    }
}
