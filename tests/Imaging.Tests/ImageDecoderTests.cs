using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Output;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

public sealed class ImageDecoderTests
{
    static readonly byte[] Png = PngEncoder.Encode(TestImages.Gradient(20, 10));

    [Fact]
    public void Decode_FileAtLimits_Decodes()
    {
        var limits = new ImageLimits { MaxBytes = Png.Length, MaxPixels = 200, MaxSide = 20 };
        Assert.Equal(20, ImageDecoder.Decode(Png, new() { Limits = limits }).Width);
    }

    [Fact]
    public void Decode_MoreBytesThanLimit_NamesBoth()
    {
        var limits = new ImageLimits { MaxBytes = Png.Length - 1 };
        string message = Assert.Throws<ImagingException>(() => ImageDecoder.Decode(Png, new() { Limits = limits })).Message;
        Assert.Contains($"{Png.Length:N0} bytes", message, StringComparison.Ordinal);
        Assert.Contains($"at most {Png.Length - 1:N0}", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(199, 20, "20 × 10 = 200 pixels; at most 199")]
    [InlineData(200, 19, "20 × 10 pixels; at most 19 on a side")]
    public void Decode_LargerThanLimit_NamesSizeAndLimit(long maxPixels, int maxSide, string expected)
    {
        var limits = new ImageLimits { MaxPixels = maxPixels, MaxSide = maxSide };
        string message = Assert.Throws<ImagingException>(() => ImageDecoder.Decode(Png, new() { Limits = limits })).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "0 bytes")]
    [InlineData("%PDF-1.7", "PDF")]
    [InlineData("  <svg/>", "SVG")]
    [InlineData("II*\0....", "TIFF")]
    [InlineData("....ftypheic", "HEIC")]
    [InlineData("version https://git-lfs.github.com/spec/v1", "Git LFS pointer")]
    public void Decode_OtherFormat_SaysWhatItLooksLike(string content, string expected)
    {
        string message = Assert.Throws<ImagingException>(() => ImageDecoder.Decode(System.Text.Encoding.ASCII.GetBytes(content))).Message;
        Assert.Contains("PNG, JPEG, WebP, GIF or BMP", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "abc/def")]
    [InlineData(2, "cba/fed")]
    [InlineData(3, "fed/cba")]
    [InlineData(4, "def/abc")]
    [InlineData(5, "ad/be/cf")]
    [InlineData(6, "da/eb/fc")]
    [InlineData(7, "fc/eb/da")]
    [InlineData(8, "cf/be/ad")]
    [InlineData(0, "abc/def")]
    [InlineData(9, "abc/def")]
    public void Pack_EachOrientation_PutsPixelsUpright(int orientation, string expected)
    {
        byte[] rgba = [.. "abcdef".SelectMany(letter => Enumerable.Repeat((byte)letter, 4))];
        var upright = ExifOrientation.For(orientation, 3, 2);
        byte[] rgb = upright.Pack(rgba, 3);
        var rows = Enumerable.Range(0, upright.Height).Select(y => string.Concat(
            Enumerable.Range(0, upright.Width).Select(x => (char)rgb[((y * upright.Width) + x) * 3])));
        Assert.Equal(expected, string.Join('/', rows));
    }

    [Fact]
    public async Task Decode_FromManyThreads_GivesTheSamePixels()
    {
        byte[] expected = ImageDecoder.Decode(Png).Rgb.ToArray();
        RgbImage[] images = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => ImageDecoder.Decode(Png), TestContext.Current.CancellationToken)));
        Assert.All(images, image => Assert.Equal(expected, image.Rgb.ToArray()));
    }

    [Fact]
    public void Decode_JpegCutAnywhereOrWithoutItsEnd_IsRefused()
    {
        string[] files = [.. Directory.EnumerateFiles(Path.Combine(GoldenSet.Bundled, "images"), "jpeg_*.jpg")];
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            byte[] jpeg = File.ReadAllBytes(file);
            for (int length = 0; length < jpeg.Length; length += Math.Max(1, jpeg.Length / 40))
                Assert.Throws<ImagingException>(() => ImageDecoder.Decode(jpeg.AsSpan(0, length)));
            Assert.Throws<ImagingException>(() => ImageDecoder.Decode(jpeg.AsSpan(0, jpeg.Length - 1)));

            // What a phone appends after the end does not matter, whatever it looks like.
            Assert.Equal(ImageDecoder.Decode(jpeg).Rgb.ToArray(), ImageDecoder.Decode([.. jpeg, 0xFF, 0xDA, 1, 2, 3]).Rgb.ToArray());
        }
    }
}
