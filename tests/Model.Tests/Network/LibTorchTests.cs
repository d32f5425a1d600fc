namespace IgptCluster.Model.Tests.Network;

public sealed class LibTorchTests
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
}
