using System.Text.Json;
using System.Text.Json.Nodes;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests.Golden;

/// <summary>The golden image cases: image_cases.json, the tensors it names, and the processors of its palettes.</summary>
sealed class ImageCases
{
    static readonly Lazy<ImageCases> Loaded = new(() => new ImageCases());

    readonly JsonDocument _json = GoldenSet.Json("image_cases.json");

    ImageCases()
    {
        Tensors = GoldenSet.Tensors("image_cases.safetensors");
        Images = [.. _json.RootElement.GetProperty("images").EnumerateArray().Select(element => new ImageCase(element))];
        Assert.NotEmpty(Images);
    }

    public static ImageCases Instance => Loaded.Value;

    public GoldenTensors Tensors { get; }

    public IReadOnlyList<ImageCase> Images { get; }

    public IReadOnlyList<JsonElement> List(string name)
    {
        JsonElement[] cases = [.. _json.RootElement.GetProperty(name).EnumerateArray()];
        Assert.NotEmpty(cases);
        return cases;
    }

    public int[] Tokens(string tensor) => Array.ConvertAll(Tensors.Integers(tensor), value => (int)value);

    public static ImageProcessor Processor(string name)
    {
        string path = GoldenSet.PathOf("processors", name, "preprocessor_config.json");
        return ImageProcessor.Parse(File.ReadAllText(path), path);
    }

    /// <summary>A processor with some fields of its own and the clusters of a palette, from whichever size of it is there.</summary>
    public static ImageProcessor ProcessorOf(string palette, Action<JsonObject> change)
    {
        string folder = FoldersOf(palette).Order(StringComparer.Ordinal).First();
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "preprocessor_config.json")))!.AsObject();
        change(config);
        return ImageProcessor.Parse(config.ToJsonString(), palette);
    }

    /// <summary>Whether the palette has a processor here: a subset of the golden set may lack some.</summary>
    public static bool Has(string palette) => FoldersOf(palette).Any();

    public static void SetSize(JsonObject config, JsonElement heightAndWidth) =>
        config["size"] = new JsonObject { ["height"] = heightAndWidth[0].GetInt32(), ["width"] = heightAndWidth[1].GetInt32() };

    public static RgbImage Decode(string file) => DecodeFile(GoldenSet.PathOf("images", file), ImageDecoderOptions.HuggingFace);

    static IEnumerable<string> FoldersOf(string palette) => Directory.EnumerateDirectories(GoldenSet.PathOf("processors"), palette + "_*");

    public static RgbImage DecodeFile(string path, ImageDecoderOptions options) => ImageDecoder.Decode(File.ReadAllBytes(path), options);
}

/// <summary>One golden image with its results for each processor.</summary>
sealed class ImageCase(JsonElement json)
{
    public string File { get; } = json.GetProperty("file").GetString()!;

    public bool IsLossy { get; } = json.GetProperty("decoder_dependent").GetBoolean();

    public string PixelHash { get; } = json.GetProperty("sha256_rgb_pixels").GetString()!;

    public string? DecodedPng => json.TryGetProperty("decoded_rgb_png", out JsonElement png) && png.ValueKind == JsonValueKind.String
        && System.IO.File.Exists(GoldenSet.PathOf(png.GetString()!)) ? GoldenSet.PathOf(png.GetString()!) : null;

    public IEnumerable<(string Processor, JsonElement Result)> Results =>
        json.GetProperty("results").EnumerateObject().Select(result => (result.Name, result.Value));

    public string? Tensor(string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    /// <summary>Pillow's pixels: from the file where it is lossless, else from the lossless copy of what Pillow decoded.</summary>
    public RgbImage PillowPixels() => IsLossy
        ? ImageCases.DecodeFile(DecodedPng ?? throw new InvalidOperationException($"{File} has no copy in images_decoded"), ImageDecoderOptions.HuggingFace)
        : ImageCases.Decode(File);
}
