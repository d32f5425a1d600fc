namespace IgptCluster.Imaging.Tests;

public sealed class RgbImageTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(64)]
    public void Upscale_Factor_MakesEachPixelASquare(int factor)
    {
        RgbImage image = TestImages.Noise(5, 3, factor);
        RgbImage scaled = image.Upscale(factor);
        Assert.Equal((5 * factor, 3 * factor), (scaled.Width, scaled.Height));
        for (int y = 0; y < scaled.Height; y++)
        {
            for (int x = 0; x < scaled.Width; x++)
                Assert.Equal(image.At(x / factor, y / factor), scaled.At(x, y));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65)]
    [InlineData(-3)]
    public void Upscale_OtherFactor_Throws(int factor) =>
        Assert.Contains($"given {factor}", Assert.Throws<ImagingException>(() => TestImages.Solid(1, 1, 0).Upscale(factor)).Message, StringComparison.Ordinal);

    [Fact]
    public void Upscale_BeyondAnArray_Throws() =>
        Assert.Throws<ImagingException>(() => TestImages.Solid(1000, 1000, 0).Upscale(64));

    [Theory]
    [InlineData(0, 1, 0)]
    [InlineData(1, -1, 3)]
    [InlineData(2, 2, 11)]
    [InlineData(65536, 65536, 0)]
    public void Constructor_BytesThatDoNotFit_Throws(int width, int height, int bytes) =>
        Assert.Throws<ImagingException>(() => new RgbImage(width, height, new byte[bytes]));

    [Fact]
    public void Row_OutsideImage_Throws()
    {
        RgbImage image = TestImages.Solid(2, 2, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Row(2).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => image.Row(-1).Length);
    }
}
