using System.Buffers.Binary;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Output;

namespace IgptCluster.Imaging.Tests;

/// <summary>Images lie as their EXIF orientation says, wherever the format keeps it.</summary>
public sealed class OrientationTests
{
    static readonly RgbImage Stored = TestImages.Gradient(6, 4);
    static readonly byte[] Png = PngEncoder.Encode(Stored);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Decode_PngWithExif_IsUpright(int orientation)
    {
        foreach (byte[] exif in new[] { Exif(orientation, isLittle: true), Exif(orientation, isLittle: false), [.. "Exif\0\0"u8, .. Exif(orientation, isLittle: false)] })
        {
            foreach (bool isBehindThePixels in new[] { false, true })
                AssertUpright(orientation, PngWith("eXIf"u8, exif, isBehindThePixels));
        }
    }

    [Fact]
    public void Decode_WebPWithExif_IsUpright()
    {
        byte[] exif = Exif(6, isLittle: true);
        byte[] plain = SkiaCodec.EncodeAnimatedWebP([Stored], [TimeSpan.FromSeconds(1)]);

        // Without the animation: the frame's own chunk behind a header that announces EXIF.
        int frame = plain.AsSpan().IndexOf("VP8L"u8);
        int length = BinaryPrimitives.ReadInt32LittleEndian(plain.AsSpan(frame + 4));
        byte[] webp =
        [
            .. "RIFF\0\0\0\0WEBPVP8X"u8, 10, 0, 0, 0, 0x08, 0, 0, 0, (byte)(Stored.Width - 1), 0, 0, (byte)(Stored.Height - 1), 0, 0,
            .. plain.AsSpan(frame, 8 + length + (length % 2)), .. "EXIF"u8, .. BitConverter.GetBytes(exif.Length), .. exif,
        ];
        BinaryPrimitives.WriteInt32LittleEndian(webp.AsSpan(4), webp.Length - 8);
        AssertUpright(6, webp);
    }

    [Fact]
    public void Decode_PngWithDamagedExif_IsAsItIsStored()
    {
        byte[] exif = Exif(6, isLittle: true);
        byte[] wrongSum = PngWith("eXIf"u8, exif);
        wrongSum[wrongSum.AsSpan().IndexOf("eXIf"u8) + 4 + 18] = 8;
        byte[][] files =
        [
            wrongSum,
            PngWith("eXIf"u8, []),
            PngWith("eXIf"u8, exif[..9]),
            PngWith("eXIf"u8, exif[..15]),
            PngWith("eXIf"u8, [.. "II*\0"u8, 255, 255, 255, 255]),
            PngWith("eXIf"u8, Exif(9, isLittle: true)),
            PngWith("exIf"u8, exif),
        ];
        Assert.All(files, file => AssertUpright(1, file));
    }

    [Fact]
    public void Decode_AsHuggingFace_IgnoresIt() =>
        Assert.Equal(Stored.Rgb.ToArray(), ImageDecoder.Decode(PngWith("eXIf"u8, Exif(6, isLittle: true)), ImageDecoderOptions.HuggingFace).Rgb.ToArray());

    static void AssertUpright(int orientation, byte[] file)
    {
        byte[] rgba = [.. Stored.Rgb.ToArray().Chunk(3).SelectMany(pixel => (byte[])[.. pixel, 255])];
        var upright = ExifOrientation.For(orientation, Stored.Width, Stored.Height);
        RgbImage image = ImageDecoder.Decode(file);
        Assert.Equal((upright.Width, upright.Height), (image.Width, image.Height));
        Assert.Equal(upright.Pack(rgba, Stored.Width), image.Rgb.ToArray());
    }

    static byte[] PngWith(ReadOnlySpan<byte> type, byte[] data, bool isBehindThePixels = false)
    {
        int at = isBehindThePixels ? Png.Length - 12 : 8 + 25;
        byte[] length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        byte[] sum = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(sum, Crc32.Compute(type, data));
        return [.. Png.AsSpan(0, at), .. length, .. type, .. data, .. sum, .. Png.AsSpan(at)];
    }

    // A directory of two entries: a width, and the orientation.
    static byte[] Exif(int orientation, bool isLittle)
    {
        byte[] S(int value) => isLittle ? [(byte)value, (byte)(value >> 8)] : [(byte)(value >> 8), (byte)value];
        byte[] L(int value) => isLittle ? [.. S(value), 0, 0] : [0, 0, .. S(value)];
        return [.. isLittle ? "II*\0"u8 : "MM\0*"u8, .. L(8), .. S(2), .. S(0x0100), .. S(4), .. L(1), .. L(6), .. S(0x0112), .. S(3), .. L(1), .. S(orientation), 0, 0, .. L(0)];
    }
}
