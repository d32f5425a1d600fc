using System.Security.Cryptography;
using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

public sealed class GoldenParityTests
{
    [Fact]
    public void Tokenize_EveryImageAndProcessor_GivesHuggingFacesTokens()
    {
        int compared = 0;
        int tokens = 0;
        foreach (JsonElement image in GoldenImages.Images)
        {
            RgbImage pixels = GoldenImages.PillowPixels(image);
            foreach (JsonProperty result in image.GetProperty("results").EnumerateObject().Where(result => Directory.Exists(GoldenSet.PathOf("processors", result.Name))))
            {
                ImageProcessor processor = GoldenImages.Processor(result.Name);
                int[] expected = GoldenImages.Tokens(result.Value.GetProperty("input_ids").GetString()!);
                Assert.True(expected.SequenceEqual(processor.Tokenize(pixels)), $"{GoldenImages.Name(image)} by {result.Name} differs");
                if (result.Value.TryGetProperty("resized_rgb", out JsonElement resized))
                {
                    Assert.True(processor.Resize(pixels).Rgb.SequenceEqual(GoldenImages.Tensors.Bytes(resized.GetString()!)), $"{GoldenImages.Name(image)} resized for {result.Name} differs");
                }

                compared++;
                tokens += expected.Length;
            }
        }

        GoldenImages.Print($"{compared} cases, {tokens} tokens, 0 differ");
        Assert.True(compared > 0, "the golden set has no image case");
    }

    [Fact]
    public void Tokenize_UprightImages_EqualTheTransposedTokens()
    {
        int compared = 0;
        foreach (JsonElement image in GoldenImages.Images.Where(image => image.GetProperty("exif_orientation").ValueKind == JsonValueKind.Number))
        {
            // From the file itself: the recorded pixels carry no orientation. Two decoders may differ by a level, so most tokens must agree.
            RgbImage upright = GoldenImages.Decode(GoldenImages.FileOf(image), ImageDecoderOptions.Default);
            foreach (JsonProperty result in image.GetProperty("results").EnumerateObject().Where(result => Directory.Exists(GoldenSet.PathOf("processors", result.Name))))
            {
                if (result.Value.TryGetProperty("input_ids_exif_transposed", out JsonElement transposed))
                {
                    int[] expected = GoldenImages.Tokens(transposed.GetString()!);
                    int[] actual = GoldenImages.Processor(result.Name).Tokenize(upright);
                    int differ = expected.Zip(actual).Count(pair => pair.First != pair.Second);
                    Assert.True(differ <= expected.Length / 20, $"{GoldenImages.Name(image)} by {result.Name}: {differ} of {expected.Length} tokens differ");
                    compared++;
                }
            }
        }

        Assert.True(compared > 0, "the golden set has no image with an EXIF orientation");
    }

    [Fact]
    public void Decode_EveryImage_EqualsPillowsPixels()
    {
        int lossless = 0;
        int lossy = 0;
        foreach (JsonElement image in GoldenImages.Images)
        {
            RgbImage pixels = GoldenImages.Decode(GoldenImages.FileOf(image));
            if (!GoldenImages.IsLossy(image))
            {
                string hash = Convert.ToHexStringLower(SHA256.HashData(pixels.Rgb));
                Assert.True(hash == image.GetProperty("sha256_rgb_pixels").GetString(), $"{GoldenImages.Name(image)}: its pixels differ");
                lossless++;
            }
            else if (File.Exists(GoldenSet.PathOf("images_decoded", $"{GoldenImages.Name(image)}.png")))
            {
                int difference = GoldenImages.GreatestDifference(GoldenImages.PillowPixels(image).Rgb, pixels.Rgb);
                GoldenImages.Print($"{GoldenImages.Name(image)}: maximum difference {difference} levels");
                Assert.True(difference <= 2, $"{GoldenImages.Name(image)}: differs by {difference} levels");
                lossy++;
            }
        }

        GoldenImages.Print($"{lossless} lossless files, 0 differ; {lossy} lossy ones");
        Assert.True(lossless > 0 && lossy > 0, "the golden set has no image files");
    }

    [Fact]
    public void Decode_Gray16ByDefault_TakesTheHighByte()
    {
        string file = GoldenSet.PathOf("images", "gray_16bit.png");
        string expected = GoldenSet.PathOf("images_decoded", "gray_16bit.png.hi8.png");
        Assert.SkipUnless(File.Exists(file) && File.Exists(expected), "not in this golden set");
        Assert.True(GoldenImages.Decode(file, ImageDecoderOptions.Default).Rgb.SequenceEqual(GoldenImages.Decode(expected).Rgb));
    }

    [Fact]
    public void Resize_OtherFilters_EqualPillowToTheBit()
    {
        int compared = 0;
        foreach (JsonElement given in GoldenImages.Cases.GetProperty("other_resample_filters").EnumerateArray().Where(given => File.Exists(GoldenImages.FileOf(given))))
        {
            ImageProcessor processor = ProcessorOf(given) with
            {
                Resample = (ResampleFilter)given.GetProperty("resample").GetInt32(),
            };
            RgbImage pixels = GoldenImages.Decode(GoldenImages.FileOf(given));
            Assert.True(processor.Resize(pixels).Rgb.SequenceEqual(GoldenImages.Tensors.Bytes(given.GetProperty("resized_rgb").GetString()!)), given.ToString());
            Assert.Equal(GoldenImages.Tokens(given.GetProperty("input_ids").GetString()!), processor.Tokenize(pixels));
            compared++;
        }

        GoldenImages.Print($"{compared} cases");
        Assert.True(compared > 0, "the golden set has no other filter");
    }

    [Fact]
    public void Switches_Off_GiveHuggingFacesValues()
    {
        int compared = 0;
        foreach (JsonElement given in GoldenImages.Cases.GetProperty("switches").EnumerateArray())
        {
            if (given.TryGetProperty("pixel_values", out JsonElement values) && File.Exists(GoldenImages.FileOf(given)))
            {
                ImageProcessor processor = ProcessorOf(given);
                Assert.Equal(GoldenImages.Tensors.Floats(values.GetString()!), processor.PixelValues(GoldenImages.Decode(GoldenImages.FileOf(given))));
                Assert.Throws<ImagingException>(() => (processor with { DoColorQuantize = false }).Tokenize(GoldenImages.Decode(GoldenImages.FileOf(given))));
                compared++;
            }
            else if (given.TryGetProperty("do_resize", out _) && File.Exists(GoldenImages.FileOf(given)))
            {
                RgbImage pixels = GoldenImages.Decode(GoldenImages.FileOf(given));
                ImageProcessor processor = GoldenImages.Processor(given.GetProperty("palette").GetString()!, pixels.Width, pixels.Height) with { DoResize = false };
                Assert.Equal(GoldenImages.Tokens(given.GetProperty("input_ids").GetString()!), processor.Tokenize(pixels));
                Assert.Throws<ImagingException>(() => (processor with { Width = 1 }).Tokenize(pixels));
                compared++;
            }
        }

        Assert.True(compared > 0, "the golden set has no switch");
    }

    [Fact]
    public void Render_GoldenTokens_GivesHuggingFacesPixels()
    {
        int compared = 0;
        foreach (JsonElement given in GoldenImages.Cases.GetProperty("decode").EnumerateArray())
        {
            string name = given.GetProperty("palette").GetString()!;
            bool halfSteps = given.TryGetProperty("clusters", out JsonElement clusters);
            Palette palette = halfSteps ? Palette.FromClusters(GoldenImages.Tensors.Doubles(clusters.GetString()!)) : GoldenImages.Palette(name);
            JsonElement size = given.GetProperty("size");
            RgbImage image = TokenImage.Render(palette, GoldenImages.Tokens(given.GetProperty("input_ids").GetString()!), size[1].GetInt32(), size[0].GetInt32());
            int difference = GoldenImages.GreatestDifference(GoldenImages.Tensors.Bytes(given.GetProperty("rgb").GetString()!), image.Rgb);
            GoldenImages.Print($"{name}: maximum difference {difference}");
            Assert.True(difference <= (halfSteps ? 1 : 0), $"{name}: differs by {difference}");
            compared++;
        }

        Assert.True(compared > 0, "the golden set has nothing to decode");
    }

    static ImageProcessor ProcessorOf(JsonElement given)
    {
        JsonElement size = given.GetProperty("size");
        return GoldenImages.Processor(given.GetProperty("palette").GetString()!, width: size[1].GetInt32(), height: size[0].GetInt32());
    }
}
