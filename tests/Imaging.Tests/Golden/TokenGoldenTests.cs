using System.Text.Json;
using System.Text.Json.Nodes;
using IgptCluster.Imaging.Processing;
using IgptCluster.Imaging.Resampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests.Golden;

/// <summary>Tokens, resized pixels and colours against Hugging Face and Pillow.</summary>
public sealed class TokenGoldenTests
{
    static readonly ImageCases Cases = ImageCases.Instance;

    [Fact]
    public void Tokenize_PillowPixelsOfEveryImage_GivesHuggingFaceTokens()
    {
        var difference = new Difference();
        foreach (ImageCase image in Cases.Images)
        {
            RgbImage pixels = image.PillowPixels();
            foreach ((string name, JsonElement result) in image.Results)
            {
                int[] tokens = ImageCases.Processor(name).Tokenize(pixels);
                difference.Add($"{image.File} {name}", Cases.Tokens(result.GetProperty("input_ids").GetString()!), tokens);
            }
        }

        difference.AssertAtMost(0);
    }

    [Fact]
    public void Resize_PillowPixelsOfEveryImage_GivesPillowsBytes()
    {
        var difference = new Difference();
        foreach (ImageCase image in Cases.Images)
        {
            RgbImage pixels = image.PillowPixels();
            foreach ((string name, JsonElement result) in image.Results)
            {
                RgbImage resized = ImageCases.Processor(name).Resize(pixels);
                difference.Add($"{image.File} {name}", Cases.Tensors.Bytes(result.GetProperty("resized_rgb").GetString()!), resized.Rgb);
            }
        }

        difference.AssertAtMost(0);
    }

    [Fact]
    public void Tokenize_OtherFilters_GivesHuggingFaceTokensAndPillowsBytes()
    {
        var difference = new Difference();
        foreach (JsonElement filter in Cases.List("other_resample_filters"))
        {
            ImageProcessor processor = ImageCases.ProcessorOf(filter.GetProperty("palette").GetString()!, config =>
            {
                config["resample"] = filter.GetProperty("resample").GetInt32();
                ImageCases.SetSize(config, filter.GetProperty("size"));
            });
            string file = filter.GetProperty("file").GetString()!;
            RgbImage pixels = ImageCases.Decode(file);
            difference.Add($"{file} {processor.Resample} pixels", Cases.Tensors.Bytes(filter.GetProperty("resized_rgb").GetString()!), processor.Resize(pixels).Rgb);
            difference.Add($"{file} {processor.Resample} tokens", Cases.Tokens(filter.GetProperty("input_ids").GetString()!), processor.Tokenize(pixels));
        }

        difference.AssertAtMost(0);
    }

    [Fact]
    public void Tokenize_ResizeOffOrBatch_GivesHuggingFaceTokens()
    {
        var difference = new Difference();
        foreach (JsonElement entry in Cases.List("switches"))
        {
            string palette = entry.GetProperty("palette").GetString()!;
            if (entry.TryGetProperty("do_resize", out _))
            {
                ImageProcessor processor = ImageCases.ProcessorOf(palette, config => config["do_resize"] = false);
                string file = entry.GetProperty("file").GetString()!;
                difference.Add(file, Cases.Tokens(entry.GetProperty("input_ids").GetString()!), processor.Tokenize(ImageCases.Decode(file)));
            }
            else if (entry.TryGetProperty("files", out JsonElement files))
            {
                ImageProcessor processor = ImageCases.ProcessorOf(palette, config => ImageCases.SetSize(config, entry.GetProperty("size")));
                int[] tokens = [.. files.EnumerateArray().SelectMany(file => processor.Tokenize(ImageCases.Decode(file.GetString()!)))];
                difference.Add("batch", Cases.Tokens(entry.GetProperty("batch_input_ids").GetString()!), tokens);
            }
        }

        difference.AssertAtMost(0);
    }

    [Fact]
    public void PixelValues_QuantisationOff_GivesHuggingFaceFloats()
    {
        float max = 0;
        int compared = 0;
        foreach (JsonElement entry in Cases.List("switches").Where(entry => entry.TryGetProperty("do_color_quantize", out _)))
        {
            ImageProcessor processor = ImageCases.ProcessorOf(entry.GetProperty("palette").GetString()!, config =>
            {
                config["do_color_quantize"] = false;
                ImageCases.SetSize(config, entry.GetProperty("size"));
            });
            RgbImage pixels = ImageCases.Decode(entry.GetProperty("file").GetString()!);
            float[] expected = Cases.Tensors.Floats(entry.GetProperty("pixel_values").GetString()!);
            float[] actual = processor.PixelValues(pixels);
            Assert.Equal(expected.Length, actual.Length);
            max = Math.Max(max, expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max());
            Assert.Throws<ImagingException>(() => processor.Tokenize(pixels));
            compared++;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"maximum difference {max} over {compared} images");
        Assert.True(compared > 0, "nothing was compared");
        Assert.Equal(0, max);
    }

    [Fact]
    public void Render_GoldenTokens_GivesHuggingFaceColours()
    {
        var difference = new Difference();
        foreach (JsonElement entry in Cases.List("decode"))
        {
            string name = entry.GetProperty("palette").GetString()!;
            bool hasClusters = entry.TryGetProperty("clusters", out JsonElement clusters);
            if (!hasClusters && !ImageCases.Has(name))
                continue;
            Palette palette = hasClusters
                ? Palette.FromClusters(Cases.Tensors.Doubles(clusters.GetString()!))
                : ImageCases.ProcessorOf(name, _ => { }).Palette;
            int[] tokens = Cases.Tokens(entry.GetProperty("input_ids").GetString()!);
            JsonElement size = entry.GetProperty("size");
            RgbImage image = TokenImage.Render(palette, tokens, size[1].GetInt32(), size[0].GetInt32());
            difference.Add(name, Cases.Tensors.Bytes(entry.GetProperty("rgb").GetString()!), image.Rgb);
        }

        difference.AssertAtMost(0);
    }

    [Fact]
    public void Parse_EveryGoldenModelsProcessor_FitsItsModel()
    {
        string[] models = [.. Directory.EnumerateDirectories(GoldenSet.PathOf("models"))];
        Assert.NotEmpty(models);
        foreach (string model in models)
        {
            string path = Path.Combine(model, "preprocessor_config.json");
            ImageProcessor processor = ImageProcessor.Parse(File.ReadAllText(path), path);
            JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(model, "config.json")))!;
            int positions = config["n_positions"]!.GetValue<int>();
            processor.RequireFit(config["vocab_size"]!.GetValue<int>() - 1, positions);
            Assert.Equal(positions, processor.Width * processor.Height);
            Assert.True(processor is { DoResize: true, DoNormalize: true, DoColorQuantize: true, Resample: ResampleFilter.Bilinear });
        }
    }
}
