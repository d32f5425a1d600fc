using System.Globalization;
using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// A CUDA device through its driver: the primary context, which libtorch shares where it runs too, and a stream of its own. Opened, used and disposed on
/// one thread: the context is that thread's. Memory, graphs and timers must be disposed before it.
/// </summary>
internal sealed unsafe class CudaDevice : ICudaDevice
{
    const int MultiprocessorCountAttribute = 16; // CUdevice_attribute
    const int MajorAttribute = 75;
    const int MinorAttribute = 76;

    readonly int _device;
    readonly List<CudaModule> _modules = [];

    CudaDevice(int device)
    {
        _device = device;
        Check(cuDevicePrimaryCtxRetain(out nint context, device), nameof(cuDevicePrimaryCtxRetain));
        Check(cuCtxSetCurrent(context), nameof(cuCtxSetCurrent));
        Stream = new CudaStream();
    }

    /// <summary>Where its work is queued.</summary>
    public CudaStream Stream { get; }

    /// <inheritdoc/>
    public string Name => CudaDevices.NameOf(_device);

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

    /// <inheritdoc/>
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
        device = null;
        int count = CudaDevices.Count(out reason);
        if (reason.Length == 0 && ordinal >= count)
            reason = $"the driver offers {count} device(s); asked for number {ordinal}";
        if (reason.Length > 0)
            return false;
        Check(cuDeviceGet(out int handle, ordinal), nameof(cuDeviceGet));
        device = new CudaDevice(handle);
        return true;
    }

    /// <summary>Compiles kernels.</summary>
    /// <param name="ptx">The PTX text.</param>
    /// <exception cref="CudaException">It does not compile: with the driver's log.</exception>
    public void Load(string ptx) => _modules.Add(new CudaModule(ptx));

    /// <inheritdoc/>
    public ulong Allocate(long bytes)
    {
        Check(cuMemAlloc_v2(out ulong address, (nuint)bytes), $"{nameof(cuMemAlloc_v2)} of {bytes} bytes");
        return address;
    }

    /// <inheritdoc/>
    public void Free(ulong address) => _ = cuMemFree_v2(address);

    /// <inheritdoc/>
    public void Upload(ulong target, ReadOnlySpan<byte> source)
    {
        // From memory that is not pinned: the driver has copied the source when the call returns.
        fixed (byte* from = source)
            Check(cuMemcpyHtoDAsync_v2(target, from, (nuint)source.Length, Stream.Handle), nameof(cuMemcpyHtoDAsync_v2));
    }

    /// <inheritdoc/>
    public void Download(Span<byte> target, ulong source)
    {
        fixed (byte* to = target)
        {
            Check(cuMemcpyDtoHAsync_v2(to, source, (nuint)target.Length, Stream.Handle), nameof(cuMemcpyDtoHAsync_v2));
            Stream.Synchronize();
        }
    }

    /// <inheritdoc/>
    public CudaKernel Kernel(string name)
    {
        foreach (CudaModule module in _modules)
        {
            if (module.TryFind(name, out CudaKernel kernel))
                return kernel;
        }

        throw new CudaException($"there is no kernel '{name}' in what was loaded", 0);
    }

    /// <inheritdoc/>
    public void Launch(CudaKernel kernel, CudaGrid grid, params ReadOnlySpan<ulong> parameters)
    {
        fixed (ulong* values = parameters)
        {
            void** addresses = stackalloc void*[parameters.Length];
            for (int i = 0; i < parameters.Length; i++)
                addresses[i] = values + i;
            int result = cuLaunchKernel(kernel.Handle, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)grid.Threads, 1, 1, 0, Stream.Handle, addresses, null);
            if (result != 0)
                Check(result, $"{nameof(cuLaunchKernel)}({kernel.Name})");
        }
    }

    /// <inheritdoc/>
    public ICudaGraph Capture(Action queue) => Stream.Capture(queue);

    /// <inheritdoc/>
    public void Dispose()
    {
        _modules.ForEach(module => module.Dispose());
        Stream.Dispose();
        _ = cuCtxSetCurrent(0);
        _ = cuDevicePrimaryCtxRelease_v2(_device);
    }

    int Attribute(int attribute)
    {
        Check(cuDeviceGetAttribute(out int value, attribute, _device), nameof(cuDeviceGetAttribute));
        return value;
    }
}
