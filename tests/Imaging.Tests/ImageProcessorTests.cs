using IgptCluster.Imaging.Processing;
using IgptCluster.Imaging.Resampling;

namespace IgptCluster.Imaging.Tests;

public sealed class ImageProcessorTests
{
    const string Clusters = "\"clusters\": [[-1, -1, -1], [1, 1, 1]]";

    [Fact]
    public void Parse_OnlyClusters_HasHuggingFacesDefaults()
    {
        var processor = ImageProcessor.Parse($"{{{Clusters}}}");
        Assert.Equal((256, 256, ResampleFilter.Bilinear), (processor.Width, processor.Height, processor.Resample));
        Assert.True(processor is { DoResize: true, DoNormalize: true, DoColorQuantize: true });
        Assert.Equal(2, processor.Palette.Count);
    }

    [Theory]
    [InlineData("\"size\": 8, \"feature_extractor_type\": \"ImageGPTFeatureExtractor\"", 8, 8)]
    [InlineData("\"size\": {\"height\": 4, \"width\": 6}, \"image_processor_type\": \"ImageGPTImageProcessor\"", 6, 4)]
    [InlineData("\"size\": {\"height\": 4, \"width\": 6}, \"do_rescale\": true, \"rescale_factor\": 0.00392156862745098, \"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5], \"image_processor_type\": \"ImageGPTImageProcessorFast\"", 6, 4)]
    [InlineData("\"size\": 3, \"do_color_quantize\": null, \"resample\": null, \"image_mean\": 0.5, \"do_center_crop\": null, \"crop_size\": null", 3, 3)]
    public void Parse_EachForm_ReadsSize(string fields, int width, int height)
    {
        var processor = ImageProcessor.Parse($"\uFEFF{{{Clusters}, {fields}}}");
        Assert.Equal((width, height), (processor.Width, processor.Height));
        Assert.Equal(width * height, processor.Tokenize(TestImages.Gradient(9, 5)).Length);
    }

    [Theory]
    [InlineData("\"size\": 0", "'size' must be an integer from 1 to 4096; given 0")]
    [InlineData("\"size\": 2.5", "given 2.5")]
    [InlineData("\"size\": \"32\"", "given \"32\"")]
    [InlineData("\"size\": [32, 32]", "given [32, 32]")]
    [InlineData("\"size\": 4096", "at most 1,048,576 pixels; given 4096 x 4096")]
    [InlineData("\"size\": {\"shortest_edge\": 32}", "'height' and 'width'; given {\"shortest_edge\": 32}")]
    [InlineData("\"size\": {\"height\": 32, \"width\": null}", "'size.width'")]
    [InlineData("\"resample\": -1", "'resample' must be one of Pillow's filters, 0 (nearest) to 5 (Hamming); given -1")]
    [InlineData("\"resample\": 2.5", "given 2.5")]
    [InlineData("\"do_resize\": 1", "'do_resize' must be true or false; given 1")]
    [InlineData("\"do_normalize\": false", "'do_normalize' must be true")]
    [InlineData("\"do_rescale\": false", "'do_rescale' must be true")]
    [InlineData("\"rescale_factor\": 1", "'rescale_factor' must be 0.00392156862745098 in every channel")]
    [InlineData("\"image_mean\": [0.485, 0.456, 0.406]", "'image_mean' must be 0.5 in every channel")]
    [InlineData("\"image_std\": [0.5, 0.5]", "'image_std' must be 0.5 in every channel")]
    [InlineData("\"image_processor_type\": \"CLIPImageProcessor\"", "must name an ImageGPT processor; given \"CLIPImageProcessor\"")]
    [InlineData("\"do_center_crop\": true", "'do_center_crop' must be false")]
    public void Parse_BrokenField_NamesSourceRuleAndValue(string field, string expected)
    {
        string message = Assert.Throws<ImagingException>(() => ImageProcessor.Parse($"{{{Clusters}, {field}}}", "a/b.json")).Message;
        Assert.StartsWith("a/b.json: ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "given none")]
    [InlineData("{\"clusters\": {}}", "given {}")]
    [InlineData("{\"clusters\": [[0, 0, 0], 1, [2], \"x\"]}", "row 1: 1 and 2 more such rows")]
    [InlineData("{\"clusters\": [[0, 0, 0], [0, 0, 1e999]]}", "row 1: [0, 0, 1e999]")]
    [InlineData("{\"clusters\": [[0, 0, true]]}", "row 0: [0, 0, true]")]
    public void Parse_BrokenClusters_NamesFirstRow(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<ImagingException>(() => ImageProcessor.Parse(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_ManyBrokenRules_ListsAll()
    {
        const string json = """{"clusters": [[0, 0]], "size": {"height": 0, "width": -2}, "resample": 99, "do_resize": "yes"}""";
        string message = Assert.Throws<ImagingException>(() => ImageProcessor.Parse(json)).Message;
        Assert.All(["'clusters'", "'size.height'", "'size.width'", "'resample'", "'do_resize'"], name => Assert.Contains(name, message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("clusters: []")]
    [InlineData("{\"clusters\": [[NaN, 0, 0]]}")]
    [InlineData("[]")]
    [InlineData("null")]
    public void Parse_NoJsonObject_NamesSource(string json) =>
        Assert.StartsWith("p.json ", Assert.Throws<ImagingException>(() => ImageProcessor.Parse(json, "p.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_LoneSurrogate_NamesSource() =>
        Assert.StartsWith("p.json is not JSON", Assert.Throws<ImagingException>(() => ImageProcessor.Parse($"{{\"a\": \"{(char)0xD800}\"}}", "p.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_DeepNesting_IsRefused() =>
        Assert.Throws<ImagingException>(() => ImageProcessor.Parse(new string('[', 100_000)));

    [Fact]
    public void Parse_RowOfManyValues_ShowsOnlyItsBeginning()
    {
        string row = string.Join(',', Enumerable.Repeat("0", 100_000));
        Assert.InRange(Assert.Throws<ImagingException>(() => ImageProcessor.Parse($"{{\"clusters\": [[{row}]]}}")).Message.Length, 1, 400);
    }

    [Theory]
    [InlineData(1, 4, "vocab_size - 1 = 1; given 2")]
    [InlineData(3, 4, "vocab_size - 1 = 3; given 2")]
    [InlineData(2, 3, "n_positions = 3 pixels; given 2 x 2 = 4")]
    public void RequireFit_OtherModel_NamesBothNumbers(int colours, int positions, string expected)
    {
        var processor = ImageProcessor.Parse($"{{{Clusters}, \"size\": 2}}");
        processor.RequireFit(2, 4);
        Assert.Contains(expected, Assert.Throws<ImagingException>(() => processor.RequireFit(colours, positions)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tokenize_LargeImageWithoutResize_IsRefused()
    {
        var processor = ImageProcessor.Parse($"{{{Clusters}, \"do_resize\": false}}");
        Assert.Equal(1 << 20, processor.Tokenize(TestImages.Solid(1 << 10, 1 << 10, 255)).Length);
        Assert.Throws<ImagingException>(() => processor.Tokenize(TestImages.Solid((1 << 10) + 1, 1 << 10, 255)));
    }

    [Fact]
    public async Task Tokenize_FromManyThreads_GivesTheSameTokens()
    {
        var processor = ImageProcessor.Parse($"{{{Clusters}, \"size\": 16}}");
        RgbImage image = TestImages.Noise(50, 40, 3);
        int[] expected = processor.Tokenize(image);
        int[][] tokens = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() => processor.Tokenize(image), TestContext.Current.CancellationToken)));
        Assert.All(tokens, actual => Assert.Equal(expected, actual));
    }

    [Fact]
    public void PixelValues_NormalisationOff_GivesLevels()
    {
        var processor = ImageProcessor.Parse($"{{{Clusters}, \"do_normalize\": false, \"do_color_quantize\": false, \"do_resize\": false}}");
        Assert.Equal((float[])[1, 4, 2, 5, 3, 6], processor.PixelValues(new RgbImage(2, 1, [1, 2, 3, 4, 5, 6])));
    }
}
