namespace IgptCluster.Imaging;

/// <summary>A model's colours: the <c>clusters</c> of preprocessor_config.json. Immutable; any thread may call.</summary>
public sealed class Palette
{
    readonly double[] _clusters;
    readonly byte[] _rgb;

    Palette(double[] clusters)
    {
        _clusters = clusters;

        // Hugging Face's decoding: np.rint(127.5 * (clusters + 1)), which rounds half to even.
        _rgb = Array.ConvertAll(clusters, value => (byte)Math.Clamp(Math.Round(127.5 * (value + 1), MidpointRounding.ToEven), 0, 255));
    }

    /// <summary>Number of colours.</summary>
    public int Count => _clusters.Length / 3;

    /// <summary>Red, green, blue of each colour in [−1, 1], float64 [count × 3].</summary>
    public ReadOnlySpan<double> Clusters => _clusters;

    /// <summary>Red, green, blue of each colour, 3 bytes per colour.</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    /// <summary>The same bytes as <see cref="Rgb"/>, where a span cannot be kept.</summary>
    public ReadOnlyMemory<byte> RgbMemory => _rgb;

    /// <summary>A palette from its colours.</summary>
    /// <param name="clusters">Red, green, blue of each colour, finite, in [−1, 1]; copied.</param>
    /// <exception cref="ImagingException">Not a multiple of three values, none at all, or one out of range.</exception>
    public static Palette FromClusters(ReadOnlySpan<double> clusters)
    {
        if (clusters.IsEmpty || clusters.Length % 3 != 0)
            throw new ImagingException($"a palette has three values per colour and at least one colour; given {clusters.Length} values");
        for (int i = 0; i < clusters.Length; i++)
        {
            if (!(Math.Abs(clusters[i]) <= 1.01))
                throw new ImagingException($"a palette's values lie within −1 … 1; given {clusters[i]} in colour {i / 3}");
        }

        return new Palette(clusters.ToArray());
    }

    /// <summary>The nearest colour by Euclidean distance, the first of equally near ones.</summary>
    /// <param name="red">In the unit of the clusters.</param>
    /// <param name="green">In the unit of the clusters.</param>
    /// <param name="blue">In the unit of the clusters.</param>
    public int Nearest(double red, double green, double blue)
    {
        int nearest = 0;
        double least = double.PositiveInfinity;
        for (int i = 0; i < _clusters.Length; i += 3)
        {
            double r = red - _clusters[i];
            double g = green - _clusters[i + 1];
            double b = blue - _clusters[i + 2];
            double distance = (r * r) + (g * g) + (b * b);
            if (distance < least)
                (nearest, least) = (i / 3, distance);
        }

        return nearest;
    }
}
