using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using SkiaSharp;

namespace IgptCluster.Imaging.Tests.Output;

/// <summary>Animated PNG and WebP: structure, times, and every frame to the bit.</summary>
public sealed class AnimationTests
{
    static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(40);
    static readonly TimeSpan LastDelay = TimeSpan.FromMilliseconds(2500);

    public static TheoryData<string> Animations => ["growing", "noise", "still", "single", "corners", "pixel"];

    [Theory]
    [MemberData(nameof(Animations))]
    public void Apng_EachFrame_DecodesToItsPixels(string animation)
    {
        RgbImage[] frames = Frames(animation);
        byte[] encoded = ApngEncoder.Encode(frames, Delay, LastDelay);
        var file = new PngFile(encoded);
        AssertSequence(file, frames.Length);

        RgbImage canvas = ImageDecoder.Decode(encoded);
        byte[] control = file.Chunks[2].Data;
        for (int i = 0, at = 2; i < frames.Length; i++, at += 2)
        {
            (string type, byte[] data) = file.Chunks[at + 1];
            control = file.Chunks[at].Data;
            Assert.Equal(i == 0 ? "IDAT" : "fdAT", type);
            if (i > 0)
                canvas = Overwrite(canvas, control, data[4..]);
            Assert.Equal(frames[i].Rgb.ToArray(), canvas.Rgb.ToArray());
            int milliseconds = (control[20] << 8) | control[21];
            Assert.Equal(i == frames.Length - 1 ? 2500 : 40, milliseconds);
            Assert.Equal(1000, (control[22] << 8) | control[23]);
            Assert.Equal((0, 0), (control[24], control[25]));
        }
    }

    [Fact]
    public void Apng_OnePixelChanges_StoresOnlyThatPixel()
    {
        RgbImage[] frames = Frames("pixel");
        var file = new PngFile(ApngEncoder.Encode(frames, Delay, LastDelay));
        byte[] control = file.Chunks[4].Data;
        Assert.Equal((1, 1, 5, 2), (PngFile.Number(control, 4), PngFile.Number(control, 8), PngFile.Number(control, 12), PngFile.Number(control, 16)));
    }

    [Theory]
    [MemberData(nameof(Animations))]
    public void AnimatedWebP_EachFrame_DecodesToItsPixels(string animation)
    {
        RgbImage[] frames = Frames(animation);
        byte[] encoded = AnimatedWebP.Encode(frames, Delay, LastDelay);
        using var codec = SKCodec.Create(SKData.CreateCopy(encoded));
        Assert.Equal(SKEncodedImageFormat.Webp, codec.EncodedFormat);
        SKCodecFrameInfo[] infos = codec.FrameInfo;
        int total = infos.Sum(info => info.Duration);

        // Frames that are all equal become a still image, without times.
        if (animation is not ("still" or "single"))
        {
            Assert.Equal((40 * (frames.Length - 1)) + 2500, total);
            Assert.Equal(-1, codec.RepetitionCount);
        }

        Assert.Equal(frames[0].Rgb.ToArray(), ImageDecoder.Decode(encoded).Rgb.ToArray());

        // Frames equal to the one before may be merged with it; every stored frame must be the one shown at its time.
        int start = 0;
        for (int i = 0; i < infos.Length; i++)
        {
            Assert.Equal(frames[Math.Min(start / 40, frames.Length - 1)].Rgb.ToArray(), Pixels(codec, i));
            start += infos[i].Duration;
        }
    }

    [Fact]
    public void Encode_BrokenRule_NamesIt()
    {
        RgbImage small = TestImages.Solid(2, 2, 0);
        RgbImage large = TestImages.Solid(3, 2, 0);
        foreach (Func<IReadOnlyList<RgbImage>, TimeSpan, TimeSpan, byte[]> encode in (Func<IReadOnlyList<RgbImage>, TimeSpan, TimeSpan, byte[]>[])[ApngEncoder.Encode, AnimatedWebP.Encode])
        {
            AssertRefused("at least one frame", () => encode([], Delay, Delay));
            AssertRefused("2 x 2; given 3 x 2 at 1", () => encode([small, large], Delay, Delay));
            AssertRefused("given null at 1", () => encode([small, null!], Delay, Delay));
            AssertRefused("given -1 ms", () => encode([small], Delay, TimeSpan.FromMilliseconds(-1)));
            AssertRefused("given 65,536 ms", () => encode([small], TimeSpan.FromMilliseconds(65_536), Delay));
        }

        AssertRefused("at most 16,383", () => AnimatedWebP.Encode([TestImages.Solid(16_384, 1, 0)], Delay, Delay));
    }

    static void AssertRefused(string expected, Action encode) =>
        Assert.Contains(expected, Assert.Throws<ImagingException>(encode).Message, StringComparison.Ordinal);

    static void AssertSequence(PngFile file, int frames)
    {
        (string type, byte[] animation) = file.Chunks[1];
        Assert.Equal("acTL", type);
        Assert.Equal((frames, 0), (PngFile.Number(animation, 0), PngFile.Number(animation, 4)));
        Assert.Equal((frames * 2) + 3, file.Chunks.Count);
        var numbered = file.Chunks.Where(chunk => chunk.Type is "fcTL" or "fdAT").Select(chunk => PngFile.Number(chunk.Data, 0));
        Assert.Equal(Enumerable.Range(0, (frames * 2) - 1), numbered);
        Assert.All(file.Chunks.Where(chunk => chunk.Type == "fcTL"), chunk =>
        {
            Assert.Equal(26, chunk.Data.Length);
            Assert.InRange(PngFile.Number(chunk.Data, 12) + PngFile.Number(chunk.Data, 4), 1, file.Width);
            Assert.InRange(PngFile.Number(chunk.Data, 16) + PngFile.Number(chunk.Data, 8), 1, file.Height);
        });
    }

    static RgbImage Overwrite(RgbImage canvas, byte[] control, byte[] data)
    {
        (int width, int height, int left, int top) = (PngFile.Number(control, 4), PngFile.Number(control, 8), PngFile.Number(control, 12), PngFile.Number(control, 16));
        RgbImage frame = ImageDecoder.Decode(PngFile.Still(width, height, data));
        return TestImages.Create(canvas.Width, canvas.Height, (x, y) =>
            x >= left && x < left + width && y >= top && y < top + height ? frame.At(x - left, y - top) : canvas.At(x, y));
    }

    static byte[] Pixels(SKCodec codec, int frame)
    {
        var info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        using var bitmap = new SKBitmap(info);
        Assert.Equal(SKCodecResult.Success, codec.GetPixels(info, bitmap.GetPixels(), info.RowBytes, new SKCodecOptions(frame)));
        byte[] rgba = bitmap.GetPixelSpan().ToArray();
        return [.. rgba.Where((_, i) => i % 4 != 3)];
    }

    static RgbImage[] Frames(string animation) => animation switch
    {
        "growing" => [.. Enumerable.Range(0, 9).Select(frame => Growing(frame * 7))],
        "noise" => [.. Enumerable.Range(0, 4).Select(frame => TestImages.Noise(13, 9, frame))],
        "still" => [.. Enumerable.Repeat(TestImages.Gradient(8, 8), 3)],
        "corners" => [TestImages.Gradient(8, 6), TestImages.Create(8, 6, (x, y) => (x, y) is (0, 0) or (7, 5) ? ((byte)1, (byte)2, (byte)3) : TestImages.Gradient(8, 6).At(x, y))],
        "pixel" => [TestImages.Solid(9, 4, 5), TestImages.Create(9, 4, (x, y) => (x, y) == (5, 2) ? ((byte)5, (byte)5, (byte)6) : ((byte)5, (byte)5, (byte)5))],
        _ => [TestImages.Noise(5, 5, 1)],
    };

    static RgbImage Growing(int tokens)
    {
        var palette = Palette.FromClusters([-1, -1, -1, 1, -1, 0.5, 0.25, 1, 1]);
        return TokenImage.Render(palette, [.. Enumerable.Range(0, tokens).Select(i => i * 5 % 3)], 8, 8).Upscale(3);
    }
}
