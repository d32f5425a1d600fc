using System.Globalization;
using System.Runtime.InteropServices;
using IgptCluster.Contracts;
using IgptCluster.Model;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Silo.Replicas;

/// <summary>What a device is and how it is used, for <c>Cluster.Describe</c>. Any thread.</summary>
internal static class DeviceDescription
{
    const string Cuda = "cuda:";
    const int Steps = 100; // of memory: who watches the cluster is told of changes, not of each page

    /// <summary>Describes a device of this machine.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda:0</c> …</param>
    internal static DeviceStatus Of(string device)
    {
        (string name, double? utilization) = device.StartsWith(Cuda, StringComparison.Ordinal)
            ? CudaDevices.Describe(int.Parse(device.AsSpan(Cuda.Length), CultureInfo.InvariantCulture))
            : ($"{Environment.ProcessorCount} cores, {RuntimeInformation.ProcessArchitecture}", null);
        try
        {
            (long free, long total) = DeviceMemory.Of(device);
            return new DeviceStatus { Name = device, Description = name, MemoryTotal = total, MemoryFree = Math.Min(free, total) / Math.Max(1, total / Steps) * (total / Steps), Utilization = utilization };
        }
        catch (InvalidOperationException)
        {
            // A device that failed tells nothing; its replicas tell why.
            return new DeviceStatus { Name = device, Description = name, Utilization = utilization };
        }
    }
}
