using TorchSharp;

namespace IgptCluster.Model.Tests;

public sealed class LibtorchLoadTests
{
    [Fact]
    public void NativeLibrary_OnThisSystem_LoadsWithoutManualStep()
    {
        using torch.Tensor ones = torch.ones(3);
        using torch.Tensor sum = ones.sum();
        Assert.Equal(3f, sum.item<float>());
    }
}
