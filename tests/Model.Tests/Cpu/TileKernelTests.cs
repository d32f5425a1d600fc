using IgptCluster.Model.Cpu;

namespace IgptCluster.Model.Tests.Cpu;

public sealed unsafe class TileKernelTests
{
    public static TheoryData<int, int> Sizes
    {
        get
        {
            var sizes = new TheoryData<int, int>();
            for (int rows = 1; rows <= TileKernel.MaxRows; rows++)
            {
                sizes.Add(rows, rows % 2 == 0 ? 64 : 37 + rows);
            }

            return sizes;
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void For_Float32_GivesTheProduct(int rows, int inner) => AssertProduct(TileType.Float32, rows, inner, 2e-5);

    // Each product of two bfloat16 numbers is exact in float32.
    [Theory]
    [MemberData(nameof(Sizes))]
    public void For_BFloat16_GivesTheProduct(int rows, int inner) => AssertProduct(TileType.BFloat16, rows, inner, 2e-5);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void For_Int8_GivesTheExactProduct(int rows, int inner) => AssertProduct(TileType.Int8, rows, inner, 0);

    static void AssertProduct(TileType type, int rows, int inner, double tolerance)
    {
        Assert.SkipUnless(TileKernel.IsSupported, "this machine has no vectors for the kernel");
        var random = new Random(rows);
        int lanes = TileKernel.Lanes(type, inner);
        int stride = TileKernel.RowStride(type, inner);
        TileType rowType = TileKernel.RowType(type);
        using var left = new AlignedMemory(rows * stride);
        using var panel = new AlignedMemory(lanes * TileKernel.Columns * sizeof(float));
        using var product = new AlignedMemory(rows * TileKernel.Columns * sizeof(float));
        double[,] expected = new double[rows, TileKernel.Columns];
        double[,] sizes = new double[rows, TileKernel.Columns]; // sums of magnitudes
        double[,] numbers = new double[rows, inner];
        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < inner; k++)
                numbers[row, k] = PutNumber(rowType, left.Start + (row * stride), k, random);
        }

        for (int k = 0; k < inner; k++)
        {
            for (int column = 0; column < TileKernel.Columns; column++)
            {
                int perLane = TileKernel.PerLane(type);
                double number = PutPanel(type, panel.Start, (((k / perLane * TileKernel.Columns) + column) * perLane) + (k % perLane), random);
                for (int row = 0; row < rows; row++)
                {
                    expected[row, column] += numbers[row, k] * number;
                    sizes[row, column] += Math.Abs(numbers[row, k] * number);
                }
            }
        }

        TileKernel.For(type, rows, rows % 2 == 0 ? TileFetch.Nothing : TileKernel.FetchBeside(rows))(left.Start, stride, panel.Start, lanes, product.Floats, TileKernel.Columns * sizeof(float), panel.Start);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < TileKernel.Columns; column++)
            {
                int at = (row * TileKernel.Columns) + column;
                double actual = type == TileType.Int8 ? ((int*)product.Start)[at] : product.Floats[at];
                Assert.True(
                    Math.Abs(expected[row, column] - actual) <= tolerance * sizes[row, column], $"{type} [{row}, {column}]: expected {expected[row, column]:r}, given {actual:r}");
            }
        }
    }

    static double PutNumber(TileType type, byte* at, int index, Random random)
    {
        float number = (float)((random.NextDouble() * 2) - 1);
        switch (type)
        {
            case TileType.Int16:
                int most = short.MaxValue / 2;
                int place = (index & ~3) + ((index & 1) * 2) + ((index & 2) / 2);
                return ((short*)at)[place] = (short)random.Next(-most, most + 1);
            case TileType.BFloat16:
                ((ushort*)at)[index] = BFloat16.Narrow(number);
                return BFloat16.Widen(((ushort*)at)[index]);
            case TileType.Int8:
                return ((sbyte*)at)[index] = (sbyte)random.Next(-127, 128);
            default:
                return ((float*)at)[index] = number;
        }
    }

    // Of bytes their sum as they lie there is what the kernel gives.
    static double PutPanel(TileType type, byte* at, int index, Random random)
    {
        if (type != TileType.Int8)
            return PutNumber(type, at, index, random);
        int number = random.Next(-127, 128) + TileKernel.ZeroByte;
        at[index] = (byte)number;
        return number;
    }
}
