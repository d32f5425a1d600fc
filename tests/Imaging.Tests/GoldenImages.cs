using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

/// <summary>The golden set's image cases, and what several tests ask of them.</summary>
internal static class GoldenImages
{
    public static JsonElement Cases { get; } = GoldenSet.Json("image_cases.json").RootElement.Clone();

    public static GoldenTensors Tensors { get; } = GoldenSet.Tensors("image_cases.safetensors");

    public static IEnumerable<JsonElement> Images => Cases.GetProperty("images").EnumerateArray().Where(image => File.Exists(FileOf(image)));

    public static string FileOf(JsonElement image) => GoldenSet.PathOf("images", Name(image));

    public static string Name(JsonElement image) => image.GetProperty("file").GetString()!;

    public static bool IsLossy(JsonElement image) => image.TryGetProperty("decoder_dependent", out JsonElement depends) && depends.ValueKind == JsonValueKind.True;

    /// <summary>Pillow's pixels: decoded by us where the format is lossless, else from the recorded ones.</summary>
    public static RgbImage PillowPixels(JsonElement image)
    {
        string recorded = GoldenSet.PathOf("images_decoded", $"{Name(image)}.png");
        return IsLossy(image) && File.Exists(recorded) ? Decode(recorded) : Decode(FileOf(image));
    }

    public static RgbImage Decode(string path, ImageDecoderOptions? options = null) => ImageDecoder.Decode(File.ReadAllBytes(path), options ?? ImageDecoderOptions.HuggingFace);

    public static ImageProcessor Processor(string name) => ImageProcessor.Parse(File.ReadAllText(GoldenSet.PathOf("processors", name, "preprocessor_config.json")));

    /// <summary>A palette of the set.</summary>
    public static Palette Palette(string name) => Imaging.Palette.FromClusters(Tensors.Doubles($"palette.{name}"));

    /// <summary>A processor for a palette of the set at any size.</summary>
    public static ImageProcessor Processor(string palette, int width, int height) => new() { Palette = Palette(palette), Width = width, Height = height };

    public static int[] Tokens(string tensor) => Array.ConvertAll(Tensors.Integers(tensor), value => (int)value);

    public static int GreatestDifference(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Assert.Equal(left.Length, right.Length);
        int greatest = 0;
        for (int i = 0; i < left.Length; i++)
        {
            greatest = Math.Max(greatest, Math.Abs(left[i] - right[i]));
        }

        return greatest;
    }

    public static void Print(string line) => TestContext.Current.TestOutputHelper!.WriteLine(line);
}
