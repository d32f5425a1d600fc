using IgptCluster.Imaging.Resampling;

namespace IgptCluster.Imaging.Tests;

public sealed class PillowResamplerTests
{
    [Theory]
    [InlineData(ResampleFilter.Nearest)]
    [InlineData(ResampleFilter.Lanczos)]
    [InlineData(ResampleFilter.Bilinear)]
    [InlineData(ResampleFilter.Bicubic)]
    [InlineData(ResampleFilter.Box)]
    [InlineData(ResampleFilter.Hamming)]
    public void Resize_SolidImage_StaysSolid(ResampleFilter filter)
    {
        foreach ((int width, int height) in (ReadOnlySpan<(int, int)>)[(1, 1), (3, 50), (50, 3), (13, 4), (64, 64)])
        {
            RgbImage resized = PillowResampler.Resize(TestImages.Solid(13, 17, 201), width, height, filter);
            Assert.Equal((width, height), (resized.Width, resized.Height));
            Assert.All(resized.Rgb.ToArray(), level => Assert.Equal(201, level));
        }
    }

    [Fact]
    public void Resize_SameSize_GivesTheImageItself()
    {
        RgbImage image = TestImages.Noise(4, 6, 1);
        Assert.Same(image, PillowResampler.Resize(image, 4, 6));
    }

    [Fact]
    public void Resize_BoxToHalf_GivesRoundedMeans()
    {
        var image = new RgbImage(4, 1, [0, 10, 0, 1, 20, 255, 100, 0, 7, 200, 3, 8]);
        Assert.Equal((byte[])[1, 15, 128, 150, 2, 8], PillowResampler.Resize(image, 2, 1, ResampleFilter.Box).Rgb.ToArray());
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(1 << 20, 1 << 20)]
    public void Resize_ImpossibleSize_Throws(int width, int height) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PillowResampler.Resize(TestImages.Solid(2, 2, 0), width, height));

    [Fact]
    public void Resize_UnknownFilter_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PillowResampler.Resize(TestImages.Solid(2, 2, 0), 1, 1, (ResampleFilter)6));
}
