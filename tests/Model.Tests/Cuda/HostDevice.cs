using System.Diagnostics;
using System.Runtime.InteropServices;
using IgptCluster.Model.Cuda;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Model.Tests.Cuda;

/// <summary>
/// The CUDA kernels' own sources on a processor (Shim/), compiled by g++ once a process. Finds writes outside of memory, misaligned pieces, and threads that do
/// not come to a barrier or shuffle; what is read before it was written is not a number.
/// </summary>
sealed unsafe class HostDevice : ICudaDevice
{
    static readonly Lazy<(nint Library, string Why)> Shim = new(Compile);

    readonly Dictionary<nint, string> _names = [];
    List<(CudaKernel Kernel, CudaGrid Grid, ulong[] Parameters)>? _recording;
    readonly delegate* unmanaged<byte*, int> _has = (delegate* unmanaged<byte*, int>)NativeLibrary.GetExport(Shim.Value.Library, "shim_has");
    readonly delegate* unmanaged<ulong, ulong> _allocate = (delegate* unmanaged<ulong, ulong>)NativeLibrary.GetExport(Shim.Value.Library, "shim_allocate");
    readonly delegate* unmanaged<ulong, void> _free = (delegate* unmanaged<ulong, void>)NativeLibrary.GetExport(Shim.Value.Library, "shim_free");
    readonly delegate* unmanaged<byte*, uint, uint, uint, uint, ulong*, byte*> _launch =
        (delegate* unmanaged<byte*, uint, uint, uint, uint, ulong*, byte*>)NativeLibrary.GetExport(Shim.Value.Library, "shim_launch");

    /// <summary>Why there is none; empty where there is.</summary>
    public static string WhyNot => Shim.Value.Why;

    public string Name => "processor";

    public (long Free, long Total) Memory => (long.MaxValue, long.MaxValue);

    /// <summary>Kernels launched so far.</summary>
    public int Launches { get; private set; }

    public ulong Allocate(long bytes)
    {
        ulong address = _allocate((ulong)bytes);
        return address != 0 ? address : throw new CudaException($"no memory for {bytes} bytes", 2);
    }

    public void Free(ulong address) => _free(address);

    public void Upload(ulong target, ReadOnlySpan<byte> source)
    {
        RequireNoRecording();
        source.CopyTo(new Span<byte>((void*)target, source.Length));
    }

    public void Download(Span<byte> target, ulong source)
    {
        RequireNoRecording();
        new ReadOnlySpan<byte>((void*)source, target.Length).CopyTo(target);
    }

    public CudaKernel Kernel(string name)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(name);
        _names[text] = name;
        return _has((byte*)text) != 0 ? new CudaKernel(text, name) : throw new CudaException($"there is no kernel '{name}'", 500);
    }

    /// <summary>Graphs recorded so far.</summary>
    public int Captures { get; private set; }

    public ICudaGraph Capture(Action queue)
    {
        Captures++;
        _recording = [];
        try
        {
            queue();
            return new Recording(this, _recording);
        }
        finally
        {
            _recording = null;
        }
    }

    public void Launch(CudaKernel kernel, CudaGrid grid, params ReadOnlySpan<ulong> parameters)
    {
        if (_recording is not null)
        {
            _recording.Add((kernel, grid, parameters.ToArray()));
            return;
        }

        Launches++;
        fixed (ulong* values = parameters)
        {
            byte* error = _launch((byte*)kernel.Handle, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)grid.Threads, values);
            if (error is not null)
                throw new CudaException($"{kernel.Name}: {Marshal.PtrToStringUTF8((nint)error)}", 1);
        }
    }

    public void Dispose()
    {
        foreach (nint text in _names.Keys)
            Marshal.FreeCoTaskMem(text);
    }

    // As of a stream that is captured.
    void RequireNoRecording()
    {
        if (_recording is not null)
            throw new CudaException("a graph records kernels only", 900);
    }

    static (nint Library, string Why) Compile()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return (0, "the shim's fibres are for Linux on x64");
        string root = GoldenSet.RepositoryRoot();
        string shim = Path.Combine(root, "tests", "Model.Tests", "Cuda", "Shim");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("igpt-shim-");
        try
        {
            string library = Path.Combine(folder.FullName, "shim.so");
            string[] arguments =
            [
                "-std=c++20", "-O2", "-shared", "-fPIC", "-ffp-contract=off", "-mfma", "-Wall", "-Werror", "-Wno-unknown-pragmas",
                "-I", shim, "-I", Path.Combine(root, "src", "Model", "Cuda", "Kernels"), "-o", library, Path.Combine(shim, "shim.cpp"),
            ];
            using Process compiler = Process.Start(new ProcessStartInfo("g++", arguments) { RedirectStandardError = true })!;
            string words = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            return compiler.ExitCode == 0 ? (NativeLibrary.Load(library), "") : throw new InvalidOperationException($"g++ does not compile the shim: {words}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (0, "there is no g++");
        }
        finally
        {
            folder.Delete(recursive: true); // what is loaded stays loaded
        }
    }

    sealed class Recording(HostDevice device, List<(CudaKernel Kernel, CudaGrid Grid, ulong[] Parameters)> kernels) : ICudaGraph
    {
        public void Launch()
        {
            foreach ((CudaKernel kernel, CudaGrid grid, ulong[] parameters) in kernels)
                device.Launch(kernel, grid, parameters);
        }

        public void Dispose() => kernels.Clear();
    }
}
