using IgptCluster.Imaging.Processing;

namespace IgptCluster.Training.Palettes;

/// <summary>
/// k-means over colours: centres started by k-means++ (Arthur and Vassilvitskii 2007) on a sample, then moved by mini-batches (Sculley 2010), each
/// with a learning rate of one over the number of pixels it has seen.
/// </summary>
internal static class PaletteTraining
{
    const int StartSample = 1 << 16; // pixels that k-means++ looks at
    const int BatchPixels = 1 << 14;

    /// <summary>Finds a palette.</summary>
    /// <param name="pixels">RGB bytes, 3 each; at least <paramref name="colours"/> pixels.</param>
    /// <param name="colours">Number of colours, at least 1.</param>
    /// <param name="batches">Mini-batches.</param>
    /// <param name="seed">Seed: the same gives the same palette.</param>
    /// <param name="report">Told the number of mini-batches done.</param>
    /// <param name="cancellationToken">Stops between mini-batches.</param>
    /// <returns>The palette, colours sorted by luminance.</returns>
    internal static Palette Train(byte[] pixels, int colours, int batches, int seed, Action<int> report, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        double[] centres = Start(Draw(pixels, StartSample, random), colours, random, cancellationToken);
        long[] seen = new long[colours];
        int[] nearest = new int[BatchPixels];
        for (int batch = 0; batch < batches; batch++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            byte[] drawn = Draw(pixels, BatchPixels, random);
            Palette.FromClusters(centres).Nearest(drawn, nearest);
            for (int i = 0; i < BatchPixels; i++)
            {
                int centre = nearest[i];
                double rate = 1.0 / ++seen[centre];
                for (int channel = 0; channel < 3; channel++)
                {
                    ref double value = ref centres[(centre * 3) + channel];
                    value += rate * (Normalise(drawn[(i * 3) + channel]) - value);
                }
            }

            report(batch + 1);
        }

        return Sorted(centres);
    }

    static double[] Start(byte[] sample, int colours, Random random, CancellationToken cancellationToken)
    {
        int count = sample.Length / 3;
        double[] points = Array.ConvertAll(sample, Normalise);
        double[] centres = new double[colours * 3];
        double[] distances = new double[count];
        Array.Fill(distances, double.PositiveInfinity);
        int chosen = random.Next(count);
        for (int centre = 0; centre < colours; centre++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<double> at = centres.AsSpan(centre * 3, 3);
            points.AsSpan(chosen * 3, 3).CopyTo(at);
            double total = 0;
            for (int i = 0; i < count; i++)
            {
                (double red, double green, double blue) = (points[i * 3] - at[0], points[(i * 3) + 1] - at[1], points[(i * 3) + 2] - at[2]);
                distances[i] = Math.Min(distances[i], (red * red) + (green * green) + (blue * blue));
                total += distances[i];
            }

            chosen = Pick(distances, total * random.NextDouble());
        }

        return centres;
    }

    static int Pick(double[] weights, double at)
    {
        int i = 0;
        while (i < weights.Length - 1 && at >= weights[i])
            at -= weights[i++];
        return i;
    }

    static byte[] Draw(byte[] pixels, int count, Random random)
    {
        byte[] drawn = new byte[count * 3];
        for (int i = 0; i < count; i++)
            pixels.AsSpan(random.Next(pixels.Length / 3) * 3, 3).CopyTo(drawn.AsSpan(i * 3));
        return drawn;
    }

    static Palette Sorted(double[] centres)
    {
        double[][] byLuminance = [.. centres.Chunk(3).OrderBy(colour => (0.299 * colour[0]) + (0.587 * colour[1]) + (0.114 * colour[2]))];
        return Palette.FromClusters([.. byLuminance.SelectMany(colour => colour).Select(value => Math.Round(value, 6))]);
    }

    static double Normalise(byte level) => (level / 127.5) - 1;
}
