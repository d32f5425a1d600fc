using System.Runtime.InteropServices;
using TorchSharp;

namespace IgptCluster.Model;

/// <summary>Which libtorch this process runs on. Call <see cref="Prepare"/> before TorchSharp is first touched.</summary>
public static class LibTorch
{
    const string Variable = "IGPT_LIBTORCH";

    static readonly Lock Once = new();
    static bool _prepared;

    /// <summary>The folder named by IGPT_LIBTORCH; null where the packaged libtorch is used.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? folder : null;

    /// <summary>
    /// With IGPT_LIBTORCH set to an existing PyTorch's lib folder, loads its libtorch (and its CUDA part, if there is one) by absolute path: the
    /// loader then gives it to TorchSharp, which asks by name. It must be of the same minor version, 2.10. Any thread; only the first call acts.
    /// </summary>
    /// <exception cref="InvalidOperationException">The folder has no libtorch, or it cannot be loaded.</exception>
    public static void Prepare()
    {
        lock (Once)
        {
            if (!_prepared && Folder is { } folder)
            {
                Load(folder, "libtorch_cuda.so", required: false);
                Load(folder, "libtorch.so", required: true);
            }

            _prepared = true;
        }
    }

    /// <summary>Where libtorch comes from and whether it sees a CUDA device.</summary>
    public static string Describe() =>
        $"libtorch {torch.__version__} from {Folder ?? "the package"}, {(torch.cuda.is_available() ? $"{torch.cuda.device_count()} CUDA device(s)" : "no CUDA device")}";

    static void Load(string folder, string name, bool required)
    {
        string path = Path.Combine(Path.GetFullPath(folder), name);
        if (!File.Exists(path))
        {
            if (required)
            {
                throw new InvalidOperationException($"{Variable} must name the lib folder of a PyTorch 2.10 (with {name} in it); given '{folder}'");
            }

            return;
        }

        try
        {
            NativeLibrary.Load(path);
        }
        catch (DllNotFoundException failure)
        {
            throw new InvalidOperationException($"{Variable}: {path} cannot be loaded: {failure.Message}", failure);
        }
    }
}
