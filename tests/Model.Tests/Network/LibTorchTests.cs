using System.Runtime.InteropServices;
using IgptCluster.Model.Torch;

namespace IgptCluster.Model.Tests.Network;

public sealed partial class LibTorchTests
{
    [Fact]
    public void Load_MissingFolder_NamesVariableFolderAndCure()
    {
        string folder = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString());
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => LibTorch.Load(folder));
        Assert.Contains("IGPT_LIBTORCH", error.Message, StringComparison.Ordinal);
        Assert.Contains(folder, error.Message, StringComparison.Ordinal);
        Assert.Contains("unset it", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "no libtorch.so")]
    [InlineData("not a library", "does not load")]
    public void Load_FolderWithoutUsableLibrary_SaysWhy(string? content, string reason)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the variable works on Linux only");
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            if (content is not null)
                File.WriteAllText(Path.Combine(folder, "libtorch.so"), content);
            Assert.Contains(reason, Assert.Throws<InvalidOperationException>(() => LibTorch.Load(folder)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Theory]
    [InlineData("version.py", "from typing import Optional\n\n__version__ = '2.13.0+cu130'\ndebug = False\n", "2.13.0+cu130")]
    [InlineData("version.py", "__version__ = '3.0.1'\n", "3.0.1")]
    [InlineData("build-version", "2.14.0+cpu\n", "2.14.0+cpu")]
    [InlineData("version.py", "__version__ = '1.13.0a0'\n", "1.13.0a0")]
    [InlineData("version.py", "__version__ = '2.9.1+cu128'\n", "2.9.1+cu128")]
    public void Load_LibtorchThatDoesNotFit_IsRefusedBeforeItIsLoaded(string file, string statement, string version)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the variable works on Linux only");
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string libraries = Directory.CreateDirectory(Path.Combine(folder, "lib")).FullName;
            File.WriteAllText(Path.Combine(folder, file), statement);
            File.WriteAllText(Path.Combine(libraries, "libtorch.so"), "not a library");
            string message = Assert.Throws<InvalidOperationException>(() => LibTorch.Load(libraries)).Message;
            Assert.Contains($"it holds libtorch {version}", message, StringComparison.Ordinal);
            Assert.Contains("libtorch 2.10 to 2.12", message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Theory]
    [InlineData("__version__ = '2.10.0'")]
    [InlineData("__version__ = '2.12.1+cu130'")]
    [InlineData("__version__ = 'nightly'")]
    [InlineData("nothing of the kind")]
    public void Load_LibtorchOfOtherOrNoStatedVersion_IsTried(string statement)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the variable works on Linux only");
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string libraries = Directory.CreateDirectory(Path.Combine(folder, "lib")).FullName;
            File.WriteAllText(Path.Combine(folder, "version.py"), statement);
            File.WriteAllText(Path.Combine(libraries, "libtorch.so"), "not a library");
            Assert.Contains("does not load", Assert.Throws<InvalidOperationException>(() => LibTorch.Load(libraries)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Fact]
    public void Prepare_OnLinux_KeepsCudnnFromAttentionWhereLibtorchReadsIt()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libtorch for CUDA is loaded from a folder on Linux only");
        LibTorch.Prepare();
        Assert.Equal("1", Marshal.PtrToStringUTF8(GetEnvironment("TORCH_CUDNN_SDPA_DEPRIORITIZED")));
    }

    [Fact]
    public void Packaged_NoneAnywhere_NamesVariableAndCure()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libraries have other names elsewhere");
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => LibTorch.Packaged([Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString())]));
        Assert.Contains("IGPT_LIBTORCH", error.Message, StringComparison.Ordinal);
        Assert.Contains("TorchBackend=cpu", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BrokenCudaLibraryBesideAGoodOne_KeepsTheReason()
    {
        string packaged = Path.Combine(AppContext.BaseDirectory, "libtorch.so");
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists(packaged), "needs the packaged libtorch.so");
        Assert.SkipWhen(Environment.GetEnvironmentVariable("IGPT_LIBTORCH") is { Length: > 0 }, "another libtorch is loaded");
        _ = LibTorch.Describe(); // loads what the good one needs, which lies beside it
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            File.CreateSymbolicLink(Path.Combine(folder, "libtorch.so"), packaged);
            File.WriteAllText(Path.Combine(folder, "libtorch_cuda.so"), "not a library");
            LibTorch.Origin origin = LibTorch.Load(folder);
            Assert.Equal(folder, origin.Folder);
            Assert.Contains("libtorch_cuda.so does not load", origin.NoCuda, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Fact]
    public void Describe_OnThisMachine_NamesVersionSourceAndCuda()
    {
        LibTorch.Prepare();
        string line = LibTorch.Describe();
        TestContext.Current.TestOutputHelper!.WriteLine(line);
        Assert.Matches("^libtorch .*[0-9]+\\.[0-9]+.*(packaged|IGPT_LIBTORCH).*CUDA (available|not available: .+)", line);
    }

    // The C library's: .NET keeps a copy of the environment of its own.
    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetEnvironment(string name);
}
