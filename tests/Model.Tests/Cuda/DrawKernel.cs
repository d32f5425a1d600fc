using IgptCluster.Engine.Sampling;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Model.Tests.Cuda;

/// <summary>Runs the kernel that draws, alone, over logits that a test makes.</summary>
sealed class DrawKernel : IDisposable
{
    const int Padding = 3; // logits behind the colours, of a row

    readonly HostDevice _device;
    readonly CudaKernel _kernel;
    readonly int _colours;
    readonly CudaMemory _logits;
    readonly CudaMemory _draws;
    readonly CudaMemory _drawn;

    public DrawKernel(HostDevice device, int colours, int rows)
    {
        (_device, _colours, _kernel) = (device, colours, device.Kernel("draw"));
        _logits = new CudaMemory(device, (long)rows * (colours + Padding) * sizeof(float));
        _draws = new CudaMemory(device, (long)rows * CudaStep.DrawWords * sizeof(uint));
        _drawn = new CudaMemory(device, (long)rows * sizeof(int));
    }

    /// <summary>One colour a row, at raster position row + first.</summary>
    public int[] Draw(float[][] logits, SamplingParameters[] sampling, int first)
    {
        uint[] words = new uint[logits.Length * CudaStep.DrawWords];
        for (int row = 0; row < logits.Length; row++)
            CudaStep.WriteDraw(words.AsSpan(row * CudaStep.DrawWords, CudaStep.DrawWords), row, sampling[row], first + row);
        _logits.Upload<float>([.. logits.SelectMany(row => (float[])[.. row, .. Enumerable.Repeat(1e30f, Padding)])]);
        _draws.Upload<uint>(words);
        _device.Launch(_kernel, new CudaGrid(logits.Length, 1, 1, 32), _logits.Address, _draws.Address, _drawn.Address, (uint)_colours, (uint)(_colours + Padding));
        int[] drawn = new int[logits.Length];
        _drawn.Download<int>(drawn);
        return drawn;
    }

    public void Dispose()
    {
        _logits.Dispose();
        _draws.Dispose();
        _drawn.Dispose();
    }
}
