using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;

namespace IgptCluster.Model.Tests.Cpu;

/// <summary>What lies in panels is what the file has, in another order and rounded.</summary>
public sealed unsafe class PanelPackingTests
{
    // Inputs, outputs: whole panels and lanes, and padded ones.
    public static MatrixTheoryData<int, (int Inputs, int Outputs), bool> Matrices => new(
        [(int)TileType.Float32, (int)TileType.BFloat16, (int)TileType.Int8], [(64, 96), (32, 32), (37, 70), (1, 1), (65, 64)], [true, false]);

    [Theory]
    [MemberData(nameof(Matrices))]
    public void Load_AnyMatrix_IsRoundedAndPaddedWithZeros(int tileType, (int Inputs, int Outputs) size, bool inputsFirst) =>
        Check((TileType)tileType, size.Inputs, size.Outputs, inputsFirst, step: 1);

    [Fact]
    public void Load_LargeMatrixOfBytes_IsReadTwiceAndRoundedAsSmallOnes() => Check(TileType.Int8, 2056, 2048, inputsFirst: true, step: 61);

    static void Check(TileType type, int inputs, int outputs, bool inputsFirst, int step)
    {
        Assert.SkipUnless(TileKernel.IsSupported, "this machine has no vectors for the runner");
        var source = new Numbers(inputs, outputs, inputsFirst);
        var matrix = new PanelMatrix(type, new LinearShape("matrix", "bias", inputs, outputs, inputsFirst));
        using var memory = new AlignedMemory(matrix.Bytes, isZeroed: false);
        new Span<byte>(memory.Start, (int)matrix.Bytes).Fill(byte.MaxValue);
        matrix.Start = memory.Start;
        matrix.Load(source);
        int perLane = TileKernel.PerLane(type);
        for (int output = 0; output < matrix.PaddedOutputs; output += step)
        {
            bool isPadding = output >= outputs;
            float largest = isPadding ? 0 : Enumerable.Range(0, inputs).Max(input => Math.Abs(Numbers.Of(input, output)));
            Assert.Equal(isPadding ? 0 : Numbers.OfBias(output), matrix.Bias[output]);
            for (int input = 0; input < matrix.Lanes * perLane; input += step)
            {
                float number = isPadding || input >= inputs ? 0 : Numbers.Of(input, output);
                byte* at = matrix.Panel(output / TileKernel.Columns) + ((((input / perLane) * TileKernel.Columns) + (output % TileKernel.Columns)) * sizeof(float)) + (input % perLane * (sizeof(float) / perLane));
                switch (type)
                {
                    case TileType.Float32:
                        Assert.Equal(number, *(float*)at);
                        break;
                    case TileType.BFloat16:
                        Assert.Equal(BFloat16.Narrow(number), *(ushort*)at);
                        break;
                    default:
                        float scale = largest / sbyte.MaxValue;
                        Assert.Equal(isPadding ? 0 : scale, matrix.Scales[output]);
                        Assert.Equal((byte)((scale == 0 ? 0 : (int)MathF.Round(number / scale)) + TileKernel.ZeroByte), *at);
                        break;
                }
            }
        }
    }

    sealed class Numbers(int inputs, int outputs, bool inputsFirst) : IWeightSource
    {
        public bool IsShared => true;

        // The third output has zeros only.
        internal static float Of(int input, int output) => output == 2 ? 0 : ((((input * 131) + (output * 71)) % 257) - 128) * 0.37f / (1 + (output % 5));

        internal static float OfBias(int output) => output - 3.5f;

        public void Read(string name, long start, Span<float> values)
        {
            for (int i = 0; i < values.Length; i++)
            {
                int at = (int)start + i;
                values[i] = name == "bias" ? OfBias(at) : inputsFirst ? Of(at / outputs, at % outputs) : Of(at % inputs, at / inputs);
            }
        }
    }
}
