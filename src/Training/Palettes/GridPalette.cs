namespace IgptCluster.Training.Palettes;

/// <summary>A palette that needs no images: points of a grid over the RGB cube.</summary>
internal static class GridPalette
{
    /// <summary>The colours: red, green, blue of each, in [−1, 1].</summary>
    /// <param name="colours">Number of colours, at least 1.</param>
    internal static double[] Clusters(int colours)
    {
        int levels = 1;
        while (levels * levels * levels < colours)
            levels++;

        // Spread over the whole cube also where the number of colours is no cube number.
        return [.. Enumerable.Range(0, colours)
            .Select(i => (int)((long)i * levels * levels * levels / colours))
            .SelectMany(cell => new[] { Level(cell / (levels * levels), levels), Level(cell / levels % levels, levels), Level(cell % levels, levels) })];
    }

    static double Level(int index, int levels) => levels == 1 ? 0 : Math.Round((2.0 * index / (levels - 1)) - 1, 6);
}
