using System.Runtime.InteropServices;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Model.Tests.Cuda;

public sealed class CudaDeviceTests
{
    [Fact]
    public void TryOpen_NoDriver_SaysSo()
    {
        Assert.SkipWhen(NativeLibrary.TryLoad("libcuda.so.1", out _), "there is a CUDA driver");
        Assert.False(CudaDevice.TryOpen(0, out CudaDevice? device, out string reason));
        Assert.Null(device);
        Assert.Contains("libcuda.so.1 is not found", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void TryOpen_DeviceThatIsNotThere_SaysHowManyThereAre()
    {
        Assert.SkipUnless(NativeLibrary.TryLoad("libcuda.so.1", out _), "there is no CUDA driver");
        Assert.False(CudaDevice.TryOpen(4096, out _, out string reason));
        Assert.Contains("4096", reason, StringComparison.Ordinal);
    }
}
