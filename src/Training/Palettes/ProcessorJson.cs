using System.Text.Json;
using System.Text.Json.Nodes;

namespace IgptCluster.Training.Palettes;

/// <summary>preprocessor_config.json as Hugging Face's ImageGPTImageProcessor writes it.</summary>
internal static class ProcessorJson
{
    /// <summary>The file's text.</summary>
    /// <param name="clusters">Colours · 3 values in [−1, 1].</param>
    /// <param name="side">Width and height of the model's images.</param>
    internal static string Write(ReadOnlySpan<double> clusters, int side)
    {
        var colours = new JsonArray();
        for (int i = 0; i < clusters.Length; i += 3)
            colours.Add(new JsonArray(clusters[i], clusters[i + 1], clusters[i + 2]));
        return new JsonObject
        {
            ["clusters"] = colours,
            ["do_color_quantize"] = true,
            ["do_normalize"] = true,
            ["do_resize"] = true,
            ["image_processor_type"] = "ImageGPTImageProcessor",
            ["resample"] = 2,
            ["size"] = new JsonObject { ["height"] = side, ["width"] = side },
        }.ToJsonString(JsonSerializerOptions.Default) + "\n";
    }
}
