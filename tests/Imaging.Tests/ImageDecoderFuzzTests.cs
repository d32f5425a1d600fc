using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Resampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

/// <summary>Seeded damage to the golden images: an image or an <see cref="ImagingException"/>, and nothing else.</summary>
public sealed class ImageDecoderFuzzTests
{
    const int RoundsPerImage = 60;
    const int MaxBytes = 20_000;

    static readonly ImageDecoderOptions Options = ImageDecoderOptions.Default with { Limits = ImageLimits.Default with { MaxPixels = 1 << 20 } };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Decode_DamagedGoldenImages_DecodesOrRefuses(int seed)
    {
        var random = new Random(seed);
        int decoded = 0;
        int refused = 0;
        string[] files = [.. Directory.EnumerateFiles(GoldenSet.PathOf("images")).Order(StringComparer.Ordinal)];
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            byte[] original = File.ReadAllBytes(file);
            for (int round = 0; round < RoundsPerImage && original.Length <= MaxBytes; round++)
            {
                byte[] damaged = Damage(original, random);
                ImageDecoderOptions options = round % 2 == 0 ? Options : Options with { ApplyExifOrientation = false, Gray16 = Gray16Conversion.ClipAsPillow };
                try
                {
                    RgbImage image = ImageDecoder.Decode(damaged, options);
                    Assert.Equal(image.Width * image.Height * 3, image.Rgb.Length);
                    Assert.Equal(64, PillowResampler.Resize(image, 8, 8).Rgb.Length / 3);
                    decoded++;
                }
                catch (ImagingException exception)
                {
                    Assert.NotEmpty(exception.Message);
                    refused++;
                }
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{decoded} decoded, {refused} refused");
        Assert.True(decoded > 0 && refused > 0);
    }

    static byte[] Damage(byte[] original, Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                return original[..random.Next(original.Length)];
            case 1:
                int from = random.Next(original.Length);
                return [.. original[..from], .. original[random.Next(original.Length)..]];
            default:
                byte[] damaged = [.. original];

                // Half of the flips go to the header, where the sizes are.
                int end = random.Next(2) == 0 ? Math.Min(64, damaged.Length) : damaged.Length;
                for (int flips = random.Next(1, 9); flips > 0; flips--)
                    damaged[random.Next(end)] = (byte)random.Next(256);
                return damaged;
        }
    }
}
