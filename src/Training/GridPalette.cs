using System.Text.Json.Nodes;

namespace IgptCluster.Training;

/// <summary>A palette that needs no images: points of a grid over the RGB cube.</summary>
internal static class GridPalette
{
    /// <summary>preprocessor_config.json with a grid palette.</summary>
    /// <param name="colours">Number of colours, at least 1.</param>
    /// <param name="side">Width and height of the model's images.</param>
    internal static string PreprocessorJson(int colours, int side)
    {
        int levels = 1;
        while (levels * levels * levels < colours)
        {
            levels++;
        }

        var clusters = new JsonArray();
        for (int i = 0; i < colours; i++)
        {
            // Spread over the whole cube also where the number of colours is no cube number.
            int cell = (int)((long)i * levels * levels * levels / colours);
            clusters.Add(new JsonArray(Level(cell / (levels * levels), levels), Level(cell / levels % levels, levels), Level(cell % levels, levels)));
        }

        return new JsonObject
        {
            ["clusters"] = clusters,
            ["do_color_quantize"] = true,
            ["do_normalize"] = true,
            ["do_resize"] = true,
            ["image_processor_type"] = "ImageGPTImageProcessor",
            ["resample"] = 2,
            ["size"] = new JsonObject { ["height"] = side, ["width"] = side },
        }.ToJsonString() + "\n";
    }

    static double Level(int index, int levels) => levels == 1 ? 0 : Math.Round((2.0 * index / (levels - 1)) - 1, 6);
}
