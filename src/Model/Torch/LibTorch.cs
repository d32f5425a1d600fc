using System.Runtime.InteropServices;
using TorchSharp;

namespace IgptCluster.Model.Torch;

/// <summary>Which libtorch the process runs on. Any thread.</summary>
public static partial class LibTorch
{
    const string Variable = "IGPT_LIBTORCH";
    const string Library = "libtorch.so";
    const string CudaLibrary = "libtorch_cuda.so";

    // TorchSharp 0.107 is built for 2.10; 2.13 took away a function that its native library calls (c10::impl::cow::materialize_cow_storage).
    static readonly Version First = new(2, 10);
    static readonly Version FirstTooNew = new(2, 13);

    static readonly Lazy<Origin> Prepared = new(() => Load(Environment.GetEnvironmentVariable(Variable)));

    /// <summary>
    /// With the environment variable <c>IGPT_LIBTORCH</c> set to a folder (a PyTorch's <c>torch/lib</c>), loads libtorch from there;
    /// without it does nothing, and TorchSharp finds the packaged one. Call it before TorchSharp is first touched; later calls do nothing.
    /// </summary>
    /// <exception cref="InvalidOperationException">The folder or its libtorch.so is missing or does not load, or none is packaged: names variable, folder and cure.</exception>
    public static void Prepare() => _ = Prepared.Value;

    /// <summary>One line for logs: libtorch's version, where it came from, and CUDA or why not.</summary>
    /// <exception cref="InvalidOperationException">As <see cref="Prepare"/>.</exception>
    public static string Describe()
    {
        Origin origin = Prepared.Value;
        string source = origin.Folder is null ? "packaged" : $"from {Variable}={origin.Folder}";
        return $"libtorch {VersionOf(origin)}, {source}; CUDA {Cuda(origin)}";
    }

    // The packaged libtorch is the one TorchSharp was built for.
    static string VersionOf(Origin origin)
    {
        string built = torch.__version__;
        return origin.Folder is null ? built : $"{StatedVersion(origin.Folder) ?? "of unknown version"} (TorchSharp is built for {built})";
    }

    // A PyTorch install states its version beside its lib folder, in version.py; an unpacked libtorch in build-version.
    static string? StatedVersion(string folder)
    {
        string parent = Path.Combine(Path.GetFullPath(folder), "..");
        string? line = Lines(Path.Combine(parent, "version.py")).FirstOrDefault(line => line.StartsWith("__version__", StringComparison.Ordinal))
            ?? Lines(Path.Combine(parent, "build-version")).FirstOrDefault();
        return line?.Split('=', 2)[^1].Trim(' ', '\'', '"');
    }

    static IEnumerable<string> Lines(string file) => File.Exists(file) ? File.ReadLines(file) : [];

    internal static Origin Load(string? folder)
    {
        PreferFlashAttention();
        if (string.IsNullOrEmpty(folder))
            return Packaged([AppContext.BaseDirectory, .. (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)]);
        if (!OperatingSystem.IsLinux())
            throw Fault(folder, "it works on Linux only", null);
        if (!Directory.Exists(folder))
            throw Fault(folder, "no such folder", null);
        string library = Path.Combine(Path.GetFullPath(folder), Library);
        if (!File.Exists(library))
            throw Fault(folder, $"it holds no {Library}", null);
        if (StatedVersion(folder) is { } stated && !Fits(stated))
            throw Fault(folder, $"it holds libtorch {stated}, which lacks functions that TorchSharp's native library calls", null);

        // libLibTorchSharp.so asks for libtorch by name only, and the loader takes what is loaded already: CUDA's first.
        string? noCuda = TryLoadCuda(Path.Combine(Path.GetFullPath(folder), CudaLibrary));
        try
        {
            NativeLibrary.Load(library);
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            throw Fault(folder, $"its {Library} does not load: {error.Message}", error);
        }

        return new Origin(folder, noCuda);
    }

    /// <summary>The libtorch that a build brought along.</summary>
    /// <param name="folders">Where the runtime looks for it.</param>
    internal static Origin Packaged(IReadOnlyCollection<string> folders)
    {
        if (OperatingSystem.IsLinux() && !folders.Any(folder => File.Exists(Path.Combine(folder, Library))))
        {
            throw new InvalidOperationException(
                $"there is no libtorch: this build carries none (TorchBackend=none), and {Variable} names none. Let {Variable} name a PyTorch's torch/lib with libtorch 2.10 to 2.12, or build with TorchBackend=cpu");
        }

        return new Origin(null, folders.Any(folder => File.Exists(Path.Combine(folder, CudaLibrary))) ? null : "this is a CPU build of libtorch");
    }

    // "2.11.0+cu130": as much as a version needs; what states no number is tried.
    static bool Fits(string stated) =>
        !Version.TryParse(string.Join('.', stated.Split('.', '+').Take(2)), out Version? version) || (version >= First && version < FirstTooNew);

    // On Hopper, cuDNN 9.15 and later would compute attention, and builds a plan of 23 to 37 ms for each new length of the keys. libtorch asks the
    // environment of the C library, where .NET's own setter does not reach; a value that is there already stays.
    static void PreferFlashAttention()
    {
        if (OperatingSystem.IsLinux())
            _ = SetEnvironment("TORCH_CUDNN_SDPA_DEPRIORITIZED", "1", overwrite: 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    static string? TryLoadCuda(string library)
    {
        if (!File.Exists(library))
            return $"no {CudaLibrary} in that folder";
        try
        {
            NativeLibrary.Load(library);
            return null;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            return $"{CudaLibrary} does not load: {error.Message}";
        }
    }

    static string Cuda(Origin origin) => torch.cuda.is_available() ? $"available, {torch.cuda.device_count()} device(s)"
        : $"not available: {origin.NoCuda ?? "the driver offers no device"}";

    static InvalidOperationException Fault(string folder, string reason, Exception? inner) => new(
        $"{Variable} must name a folder with the libraries of libtorch 2.10 to 2.12 (a PyTorch's torch/lib); given: \"{folder}\", {reason}. "
        + "Name such a folder, or unset it to use the packaged libtorch.",
        inner);

    internal sealed record Origin(string? Folder, string? NoCuda);
}
