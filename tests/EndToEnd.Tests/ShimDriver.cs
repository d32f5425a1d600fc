using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A CUDA driver whose device is this processor (tests/Model.Tests/Cuda/Shim), for the processes of a test; built by g++ once.</summary>
static class ShimDriver
{
    static readonly Lazy<(string Folder, string Why)> Built = new(Build);

    /// <summary>Why there is none; empty where there is.</summary>
    public static string WhyNot => Built.Value.Why;

    /// <summary>What makes a process find it instead of the machine's own driver.</summary>
    public static (string Name, string? Value) Environment => ("LD_LIBRARY_PATH", Built.Value.Folder);

    static (string Folder, string Why) Build()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return ("", "the shim's fibres are for Linux on x64");
        string root = GoldenSet.RepositoryRoot();
        string shim = Path.Combine(root, "tests", "Model.Tests", "Cuda", "Shim");
        string folder = Directory.CreateTempSubdirectory("igpt-driver-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        string[] arguments =
        [
            "-std=c++20", "-O2", "-shared", "-fPIC", "-ffp-contract=off", "-mfma", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-Wl,-soname,libcuda.so.1",
            "-I", shim, "-I", Path.Combine(root, "src", "Model", "Cuda", "Kernels"), "-o", Path.Combine(folder, "libcuda.so.1"), Path.Combine(shim, "libcuda.cpp"),
        ];
        try
        {
            using Process compiler = Process.Start(new ProcessStartInfo("g++", arguments) { RedirectStandardError = true })!;
            string words = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            if (compiler.ExitCode != 0)
                throw new InvalidOperationException($"g++ does not compile the driver: {words}");
            File.CreateSymbolicLink(Path.Combine(folder, "libnvidia-ml.so.1"), "libcuda.so.1");
            return (folder, "");
        }
        catch (Win32Exception)
        {
            return ("", "there is no g++");
        }
    }
}
