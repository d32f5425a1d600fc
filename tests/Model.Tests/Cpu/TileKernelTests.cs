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
        Assert.SkipUnless(TileKernel.IsSupported(type), $"this machine has no vectors for {type}");
        var random = new Random(rows);
        int lanes = TileKernel.Lanes(type, inner);
        using var left = new AlignedMemory(rows * lanes * sizeof(float));
        using var panel = new AlignedMemory(lanes * TileKernel.Columns * sizeof(float));
        using var product = new AlignedMemory(rows * TileKernel.Columns * sizeof(float));
        double[,] expected = new double[rows, TileKernel.Columns];
        double[,] sizes = new double[rows, TileKernel.Columns]; // sums of magnitudes
        double[,] numbers = new double[rows, inner];
        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < inner; k++)
                numbers[row, k] = PutLeft(type, left.Start, (row * lanes * TileKernel.PerLane(type)) + k, random);
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

        TileKernel.For(type, rows)(left.Start, lanes * sizeof(float), panel.Start, lanes, product.Floats, TileKernel.Columns * sizeof(float));
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

    static double PutLeft(TileType type, byte* at, int index, Random random)
    {
        float number = (float)((random.NextDouble() * 2) - 1);
        switch (type)
        {
            case TileType.BFloat16:
                ((ushort*)at)[index] = Brain16.Narrow(number);
                return Brain16.Widen(((ushort*)at)[index]);
            case TileType.Int8:
                return ((sbyte*)at)[index] = (sbyte)random.Next(-127, 128);
            default:
                return ((float*)at)[index] = number;
        }
    }

    static double PutPanel(TileType type, byte* at, int index, Random random) =>
        type == TileType.Int8 ? at[index] = (byte)random.Next(256) : PutLeft(type, at, index, random);
}
