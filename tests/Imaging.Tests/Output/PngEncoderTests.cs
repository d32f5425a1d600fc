using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Output;

namespace IgptCluster.Imaging.Tests.Output;

public sealed class PngEncoderTests
{
    public static TheoryData<int, int, int> Sizes => new() { { 1, 1, 0 }, { 1, 40, 1 }, { 40, 1, 2 }, { 33, 17, 3 }, { 256, 256, 4 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Encode_AnyImage_DecodesToTheSamePixels(int width, int height, int seed)
    {
        foreach (RgbImage image in (ReadOnlySpan<RgbImage>)[TestImages.Noise(width, height, seed), TestImages.Gradient(width, height), TestImages.Solid(width, height, 77)])
        {
            byte[] png = PngEncoder.Encode(image);
            var file = new PngFile(png);
            Assert.Equal((width, height), (file.Width, file.Height));
            Assert.Equal(["IHDR", "IDAT", "IEND"], file.Chunks.Select(chunk => chunk.Type));
            Assert.Equal(image.Rgb.ToArray(), ImageDecoder.Decode(png).Rgb.ToArray());
        }
    }

    [Fact]
    public void Encode_UpscaledImage_CostsLittleMoreThanTheSmallOne()
    {
        RgbImage image = TestImages.Noise(32, 32, 5);
        Assert.InRange(PngEncoder.Encode(image.Upscale(8)).Length, 1, 4 * PngEncoder.Encode(image).Length);
    }
}
