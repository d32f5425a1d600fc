using System.Globalization;
using System.Text;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// A CUDA device and its primary context, which libtorch shares where it runs too. Opened, used and disposed on one thread: the context is that
/// thread's. Memory, modules, streams and events must be disposed before it.
/// </summary>
internal sealed unsafe class CudaDevice : IDisposable
{
    const int MultiprocessorCountAttribute = 16; // CUdevice_attribute
    const int MajorAttribute = 75;
    const int MinorAttribute = 76;
    const int NameBytes = 256;

    readonly int _device;

    CudaDevice(int device)
    {
        _device = device;
        Check(cuDevicePrimaryCtxRetain(out nint context, device), nameof(cuDevicePrimaryCtxRetain));
        Check(cuCtxSetCurrent(context), nameof(cuCtxSetCurrent));
    }

    /// <summary>The device's name, "NVIDIA H200".</summary>
    public string Name
    {
        get
        {
            byte* name = stackalloc byte[NameBytes];
            Check(cuDeviceGetName(name, NameBytes, _device), nameof(cuDeviceGetName));
            return Encoding.UTF8.GetString(new ReadOnlySpan<byte>(name, NameBytes)).TrimEnd('\0');
        }
    }

    /// <summary>Compute capability, "9.0".</summary>
    public string ComputeCapability => string.Create(CultureInfo.InvariantCulture, $"{Attribute(MajorAttribute)}.{Attribute(MinorAttribute)}");

    /// <summary>Streaming multiprocessors.</summary>
    public int MultiprocessorCount => Attribute(MultiprocessorCountAttribute);

    /// <summary>Newest CUDA version that the driver serves, "13.0".</summary>
    public static string DriverVersion
    {
        get
        {
            Check(cuDriverGetVersion(out int version), nameof(cuDriverGetVersion));
            return string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");
        }
    }

    /// <summary>Device memory in bytes: what is free now, and all of it.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            Check(cuMemGetInfo_v2(out nuint free, out nuint total), nameof(cuMemGetInfo_v2));
            return ((long)free, (long)total);
        }
    }

    /// <summary>Opens a device and makes its context this thread's.</summary>
    /// <param name="ordinal">From 0.</param>
    /// <param name="device">The device; the caller disposes it. Null where there is none.</param>
    /// <param name="reason">Why there is none: no driver, no such device.</param>
    /// <exception cref="CudaException">The device is there and cannot be used.</exception>
    public static bool TryOpen(int ordinal, out CudaDevice? device, out string reason)
    {
        (device, reason) = (null, "");
        try
        {
            int result = cuInit(0);
            int count = 0;
            if (result == 0)
                Check(cuDeviceGetCount(out count), nameof(cuDeviceGetCount));
            reason = result != 0 ? $"cuInit failed: {Describe(result)}" : ordinal >= count ? $"the driver offers {count} device(s); asked for number {ordinal}" : "";
        }
        catch (DllNotFoundException)
        {
            reason = "there is no CUDA driver: libcuda.so.1 is not found";
        }

        if (reason.Length > 0)
            return false;
        Check(cuDeviceGet(out int handle, ordinal), nameof(cuDeviceGet));
        device = new CudaDevice(handle);
        return true;
    }

    /// <summary>Device memory that the caller disposes.</summary>
    /// <param name="bytes">At least 1.</param>
    /// <exception cref="CudaException">There is not so much left.</exception>
    public static CudaMemory Allocate(long bytes) => new(bytes);

    /// <inheritdoc/>
    public void Dispose() => _ = cuDevicePrimaryCtxRelease_v2(_device);

    int Attribute(int attribute)
    {
        Check(cuDeviceGetAttribute(out int value, attribute, _device), nameof(cuDeviceGetAttribute));
        return value;
    }
}
