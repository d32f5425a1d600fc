using System.Runtime.InteropServices;
using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Model.Cuda;

/// <summary>A linear layer's sizes, and where its numbers lie in the stored weight.</summary>
/// <param name="Weight">Name of the weight.</param>
/// <param name="Bias">Name of the bias; null for none.</param>
/// <param name="Inputs">Stored inputs.</param>
/// <param name="Outputs">Stored outputs.</param>
/// <param name="InputsFirst">Whether it is stored [in, out], as Conv1D, or [out, in].</param>
/// <param name="InputOf">The stored input of each input that a row has, −1 for padding.</param>
/// <param name="OutputOf">The stored output of each output that a row gets, −1 for padding.</param>
internal sealed record CudaLinear(string Weight, string? Bias, int Inputs, int Outputs, bool InputsFirst, int[] InputOf, int[] OutputOf);

/// <summary>A linear layer on a device, in the order in which <c>product.cu</c> reads it. Its device's thread.</summary>
internal sealed class CudaMatrix : IDisposable
{
    const int Step = 32; // inputs
    const int TileOutputs = 8;
    const int TileValues = Step * TileOutputs;

    readonly CudaMemory _weights;
    readonly CudaMemory? _bias;

    /// <summary>Reads and uploads it.</summary>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read.</exception>
    /// <exception cref="CudaException">The device's memory does not hold it.</exception>
    internal CudaMatrix(ICudaDevice device, CudaLinear linear, bool isWide, IWeightSource source)
    {
        Outputs = linear.OutputOf.Length;
        Steps = CudaLayout.Pad(linear.InputOf.Length, Step) / Step;
        PaddedOutputs = CudaLayout.Pad(Outputs, Step);
        float[] stored = new float[(long)linear.Inputs * linear.Outputs];
        source.Read(linear.Weight, 0, stored);
        float At(int input, int output)
        {
            (int from, int to) = (input < linear.InputOf.Length ? linear.InputOf[input] : -1, output < linear.OutputOf.Length ? linear.OutputOf[output] : -1);
            return from < 0 || to < 0 ? 0 : stored[linear.InputsFirst ? ((long)from * linear.Outputs) + to : ((long)to * linear.Inputs) + from];
        }

        byte[] packed = isWide ? Wide(At) : Narrow(At);
        _weights = new CudaMemory(device, packed.Length);
        try
        {
            _weights.Upload<byte>(packed);
            _bias = linear.Bias is null ? null : UploadBias(device, linear, source);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Outputs that are stored to rows.</summary>
    internal int Outputs { get; }

    /// <summary>Outputs that the weights have, those behind <see cref="Outputs"/> being 0.</summary>
    internal int PaddedOutputs { get; }

    /// <summary>Inputs, in steps of 32.</summary>
    internal int Steps { get; }

    internal ulong Weights => _weights.Address;

    /// <summary>Float32, one each padded output; 0 without.</summary>
    internal ulong Bias => _bias?.Address ?? 0;

    public void Dispose()
    {
        _weights.Dispose();
        _bias?.Dispose();
    }

    // float32 [inputs, outputs].
    byte[] Wide(Func<int, int, float> at)
    {
        byte[] packed = new byte[(long)Steps * Step * PaddedOutputs * sizeof(float)];
        Parallel.For(0, Steps * Step, input =>
        {
            Span<float> row = MemoryMarshal.Cast<byte, float>(packed.AsSpan()).Slice(input * PaddedOutputs, PaddedOutputs);
            for (int output = 0; output < row.Length; output++)
                row[output] = at(input, output);
        });
        return packed;
    }

    // bfloat16 [outputs / 8][steps][32 lanes][8]: inputs 8 · (lane % 4) and on, of output lane / 4.
    byte[] Narrow(Func<int, int, float> at)
    {
        byte[] packed = new byte[(long)Steps * Step * PaddedOutputs * sizeof(ushort)];
        Parallel.For(0, PaddedOutputs / TileOutputs, tile =>
        {
            Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(packed.AsSpan()).Slice(tile * Steps * TileValues, Steps * TileValues);
            for (int i = 0; i < values.Length; i++)
            {
                (int step, int lane, int number) = (i / TileValues, i % TileValues / 8, i % 8);
                values[i] = BFloat16.Narrow(at((step * Step) + (lane % 4 * 8) + number, (tile * TileOutputs) + (lane / 4)));
            }
        });
        return packed;
    }

    CudaMemory UploadBias(ICudaDevice device, CudaLinear linear, IWeightSource source)
    {
        float[] stored = new float[linear.Outputs];
        source.Read(linear.Bias!, 0, stored);
        float[] bias = new float[PaddedOutputs];
        for (int output = 0; output < Outputs; output++)
            bias[output] = linear.OutputOf[output] is >= 0 and var from ? stored[from] : 0;
        var memory = new CudaMemory(device, bias.Length * sizeof(float));
        memory.Upload<float>(bias);
        return memory;
    }
}
