using System.Diagnostics;
using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

public sealed class MalformedTests
{
    const long Gibibyte = 1L << 30;

    static JsonElement Manifest { get; } = GoldenSet.Json("malformed", "manifest.json").RootElement.Clone();

    [Fact]
    public void Decode_MalformedImages_BehaveAsTheManifestExpects()
    {
        using var process = Process.GetCurrentProcess();
        long before = process.PeakWorkingSet64;
        int refused = 0;
        int tried = 0;
        foreach (JsonElement given in Manifest.GetProperty("images").EnumerateArray())
        {
            string path = GoldenSet.PathOf("malformed", "images", given.GetProperty("file").GetString()!);
            if (!File.Exists(path))
            {
                continue;
            }

            tried++;
            string expected = given.GetProperty("expect").GetString()!;
            try
            {
                RgbImage image = ImageDecoder.Decode(File.ReadAllBytes(path));
                Assert.True(expected != "reject", $"{path}: must be refused because {given.GetProperty("why")}, but gave {image.Width} × {image.Height}");
            }
            catch (ImagingException failure)
            {
                Assert.True(expected != "accept", $"{path}: {failure.Message}");
                Assert.True(failure.Message.Length > 30, $"{path}: says too little: {failure.Message}");
                refused++;
            }
        }

        process.Refresh();
        GoldenImages.Print($"{tried} files, {refused} refused, peak memory grew by {(process.PeakWorkingSet64 - before) >> 20} MiB");
        Assert.True(refused > 0, "the golden set has no malformed image");
        Assert.True(process.PeakWorkingSet64 - before < Gibibyte, "decoding took more than 1 GiB");
    }

    [Fact]
    public void Parse_MalformedProcessors_BehaveAsTheManifestExpects()
    {
        int tried = 0;
        foreach (JsonElement given in Manifest.GetProperty("models").EnumerateArray().Where(given => given.GetProperty("case").GetString()!.StartsWith("pre_", StringComparison.Ordinal)))
        {
            string name = given.GetProperty("case").GetString()!;
            string path = GoldenSet.PathOf("malformed", "models", name, "preprocessor_config.json");

            // More colours than the model has tokens is the model's rule, not the file's.
            if (!File.Exists(path) || name == "pre_clusters_too_many")
            {
                continue;
            }

            tried++;
            string expected = given.GetProperty("expect").GetString()!;
            try
            {
                ImageProcessor.Parse(File.ReadAllText(path));
                Assert.True(expected != "reject", $"{name}: must be refused because {given.GetProperty("why")}");
            }
            catch (ImagingException failure)
            {
                Assert.True(expected != "accept", $"{name}: {failure.Message}");
                Assert.StartsWith("preprocessor_config.json: ", failure.Message, StringComparison.Ordinal);
            }
        }

        GoldenImages.Print($"{tried} files");
        Assert.True(tried > 0, "the golden set has no malformed preprocessor_config.json");
    }

    [Fact]
    public void Parse_SeveralMistakes_NamesThemAll()
    {
        ImagingException failure = Assert.Throws<ImagingException>(() => ImageProcessor.Parse(
            """{"clusters": [[0, 0, 0], [1, 1]], "size": 0, "resample": 99, "do_resize": "yes", "image_mean": [0.4, 0.5, 0.5]}"""));
        Assert.All(["clusters[1]", "size", "resample", "99", "do_resize", "image_mean"], word => Assert.Contains(word, failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Decode_DamagedImages_EitherDecodesOrSaysWhyNot()
    {
        var random = new Random(20261124);
        int decoded = 0;
        int refused = 0;
        foreach (JsonElement image in GoldenImages.Images.Where(image => new FileInfo(GoldenImages.FileOf(image)).Length < 20_000))
        {
            byte[] original = File.ReadAllBytes(GoldenImages.FileOf(image));
            for (int round = 0; round < 40; round++)
            {
                byte[] damaged = random.Next(3) == 0 ? original[..random.Next(original.Length)] : (byte[])original.Clone();
                for (int flips = random.Next(1, 6); flips > 0 && damaged.Length > 0; flips--)
                {
                    damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
                }

                try
                {
                    ImageDecoder.Decode(damaged, new ImageDecoderOptions { Limits = new ImageLimits { MaxPixels = 1 << 20 } });
                    decoded++;
                }
                catch (ImagingException)
                {
                    refused++;
                }
            }
        }

        GoldenImages.Print($"{decoded} decoded, {refused} refused");
        Assert.True(decoded > 0 && refused > 0);
    }

    [Fact]
    public void Decode_AboveALimit_IsRefusedBeforePixelsAreAllocated()
    {
        byte[] png = PngEncoder.Encode(new RgbImage(100, 50, new byte[15_000]));
        Refused(new ImageLimits { MaxBytes = png.Length - 1 }, "bytes");
        Refused(new ImageLimits { MaxPixels = 4999 }, "100 × 50");
        Refused(new ImageLimits { MaxSide = 99 }, "at most 99 on a side");
        Assert.Equal(50, ImageDecoder.Decode(png, new ImageDecoderOptions { Limits = new ImageLimits { MaxBytes = png.Length, MaxPixels = 5000, MaxSide = 100 } }).Height);

        void Refused(ImageLimits limits, string words)
        {
            ImagingException failure = Assert.Throws<ImagingException>(() => ImageDecoder.Decode(png, new ImageDecoderOptions { Limits = limits }));
            Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        }
    }
}
