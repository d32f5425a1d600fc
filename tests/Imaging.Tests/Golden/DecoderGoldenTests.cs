using System.Security.Cryptography;
using System.Text.Json;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests.Golden;

/// <summary>Decoded pixels against Pillow's.</summary>
public sealed class DecoderGoldenTests
{
    /// <summary>Another build of a lossy format's library may round differently.</summary>
    const int LossyTolerance = 2;

    static readonly ImageCases Cases = ImageCases.Instance;

    [Fact]
    public void Decode_EveryLosslessImageInHuggingFaceMode_GivesPillowsPixels()
    {
        ImageCase[] images = [.. Cases.Images.Where(image => !image.IsLossy)];
        Assert.NotEmpty(images);
        foreach (ImageCase image in images)
            Assert.True(image.PixelHash == Convert.ToHexStringLower(SHA256.HashData(ImageCases.Decode(image.File).Rgb)), image.File);
        TestContext.Current.TestOutputHelper?.WriteLine($"maximum difference 0 over {images.Length} images, by hash");
    }

    [Fact]
    public void Decode_EveryImageWithLosslessCopy_GivesItsPixels()
    {
        var lossless = new Difference();
        var lossy = new Difference();
        foreach (ImageCase image in Cases.Images.Where(image => image.DecodedPng is not null))
        {
            RgbImage expected = ImageCases.DecodeFile(image.DecodedPng!, ImageDecoderOptions.HuggingFace);
            RgbImage actual = ImageCases.Decode(image.File);
            Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
            (image.IsLossy ? lossy : lossless).Add(image.File, expected.Rgb, actual.Rgb);
        }

        lossless.AssertAtMost(0);
        lossy.AssertAtMost(LossyTolerance);
    }

    [Fact]
    public void Decode_OrientedJpegs_GivesUprightPixelsAndTokens()
    {
        var pixels = new Difference();
        foreach (ImageCase image in Cases.Images)
        {
            RgbImage upright = ImageCases.DecodeFile(GoldenSet.PathOf("images", image.File), ImageDecoderOptions.Default);
            foreach ((string name, JsonElement result) in image.Results.Where(entry => entry.Result.TryGetProperty("input_ids_exif_transposed", out _)))
            {
                ImageProcessor processor = ImageCases.Processor(name);
                RgbImage resized = processor.Resize(upright);
                string? tensor = image.Tensor("resized_rgb_exif_transposed");
                bool same = true;
                if (tensor is not null && tensor.Contains($".{processor.Height}x{processor.Width}.", StringComparison.Ordinal))
                {
                    byte[] expected = Cases.Tensors.Bytes(tensor);
                    pixels.Add(image.File, expected, resized.Rgb);
                    same = resized.Rgb.SequenceEqual(expected);
                }

                int[] tokens = Cases.Tokens(result.GetProperty("input_ids_exif_transposed").GetString()!);
                int equal = tokens.Zip(processor.Tokenize(upright)).Count(pair => pair.First == pair.Second);
                Assert.True(equal >= (same ? tokens.Length : tokens.Length * 0.95), $"{image.File} {name}: {equal} of {tokens.Length} tokens");
            }
        }

        pixels.AssertAtMost(LossyTolerance);
    }

    [Fact]
    public void Decode_Gray16ByDefault_GivesTokensOfHighByte()
    {
        var difference = new Difference();
        foreach (ImageCase image in Cases.Images)
        {
            foreach ((string name, JsonElement result) in image.Results.Where(entry => entry.Result.TryGetProperty("input_ids_hi8", out _)))
            {
                RgbImage pixels = ImageCases.DecodeFile(GoldenSet.PathOf("images", image.File), ImageDecoderOptions.Default);
                difference.Add($"{image.File} {name}", Cases.Tokens(result.GetProperty("input_ids_hi8").GetString()!), ImageCases.Processor(name).Tokenize(pixels));
            }
        }

        difference.AssertAtMost(0);
    }
}
