using System.Numerics;

namespace IgptCluster.Imaging.Processing;

/// <summary>
/// The colours that the tokens of a model stand for: token i is cluster i, red, green and blue in [−1, 1].
/// Not changed after it is made, so any thread may use it.
/// </summary>
public sealed class Palette
{
    /// <summary>Most colours of a palette, 65,536: far above ImageGPT's 512, so that a hostile file cannot ask for any amount of memory.</summary>
    public const int MaxCount = 65_536;

    /// <summary>How far a value may lie beyond [−1, 1], from rounding in a lower precision; its colour is then clamped.</summary>
    internal const double RangeTolerance = 1e-3;

    static readonly double[] Normalised = [.. Enumerable.Range(0, 256).Select(level => (double)PixelNormalisation.ToFloat((byte)level))];

    readonly double[] _clusters;
    readonly byte[] _rgb;

    // One array a channel, filled up with infinities to whole vectors: those are never the nearest.
    readonly double[] _red;
    readonly double[] _green;
    readonly double[] _blue;

    Palette(double[] clusters)
    {
        _clusters = clusters;
        _rgb = Array.ConvertAll(clusters, ToByte);
        _red = Channel(clusters, 0);
        _green = Channel(clusters, 1);
        _blue = Channel(clusters, 2);
    }

    /// <summary>Number of colours, 1 to <see cref="MaxCount"/>; tokens run from 0 to one less.</summary>
    public int Count => _clusters.Length / 3;

    /// <summary>All clusters: <see cref="Count"/> · 3 values, red, green, blue.</summary>
    public ReadOnlySpan<double> Clusters => _clusters;

    /// <summary>All colours as bytes, rint(127.5 · (c + 1)) with halves to even as Hugging Face shows them: <see cref="Count"/> · 3 bytes.</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    /// <summary>The same bytes as <see cref="Rgb"/>, where a span cannot be kept.</summary>
    public ReadOnlyMemory<byte> RgbMemory => _rgb;

    /// <summary>Makes a palette; the values are copied.</summary>
    /// <param name="clusters">n · 3 values in [−1, 1]: red, green, blue of each colour; n from 1 to <see cref="MaxCount"/>. Equal colours are allowed.</param>
    /// <exception cref="ImagingException">Not a positive multiple of three, too many, or a value that is not finite or not in [−1, 1].</exception>
    public static Palette FromClusters(ReadOnlySpan<double> clusters)
    {
        if (clusters.IsEmpty || clusters.Length % 3 != 0 || clusters.Length / 3 > MaxCount)
            throw new ImagingException($"a palette has 1 to {MaxCount:N0} colours of 3 values; given {clusters.Length:N0} values");
        for (int i = 0; i < clusters.Length; i++)
        {
            if (!IsInRange(clusters[i]))
                throw new ImagingException($"the values of a palette lie in [-1, 1]; given {clusters[i]} in channel {i % 3} of colour {i / 3}: divide colours of 0 to 255 by 127.5 and subtract 1");
        }

        return new Palette(clusters.ToArray());
    }

    /// <summary>The token of each pixel: the cluster of the smallest squared distance in double precision, the lowest index among equals.</summary>
    /// <param name="rgb">Pixels, 3 bytes each, normalised as v / 127.5 − 1 in single precision.</param>
    /// <param name="tokens">One place for each pixel.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public void Nearest(ReadOnlySpan<byte> rgb, Span<int> tokens)
    {
        if (rgb.Length != tokens.Length * 3L)
            throw new ArgumentException($"{tokens.Length} tokens need {tokens.Length * 3L} bytes of RGB; given {rgb.Length}", nameof(tokens));
        for (int i = 0; i < tokens.Length; i++)
        {
            ReadOnlySpan<byte> pixel = rgb.Slice(i * 3, 3);
            tokens[i] = i > 0 && pixel.SequenceEqual(rgb.Slice((i * 3) - 3, 3))
                ? tokens[i - 1]
                : Nearest(Normalised[pixel[0]], Normalised[pixel[1]], Normalised[pixel[2]]);
        }
    }

    internal static bool IsInRange(double value) => Math.Abs(value) <= 1 + RangeTolerance;

    int Nearest(double red, double green, double blue)
    {
        var reds = new Vector<double>(red);
        var greens = new Vector<double>(green);
        var blues = new Vector<double>(blue);
        var best = new Vector<double>(double.PositiveInfinity);
        var bestIndex = Vector<double>.Zero;
        Vector<double> index = Vector.CreateSequence(0.0, 1.0);
        var step = new Vector<double>(Vector<double>.Count);
        for (int i = 0; i < _red.Length; i += Vector<double>.Count)
        {
            Vector<double> r = reds - new Vector<double>(_red, i);
            Vector<double> g = greens - new Vector<double>(_green, i);
            Vector<double> b = blues - new Vector<double>(_blue, i);
            Vector<double> distance = (r * r) + (g * g) + (b * b);

            // Strictly less: within a lane the first of equals stays.
            bestIndex = Vector.ConditionalSelect(Vector.LessThan(distance, best), index, bestIndex);
            best = Vector.Min(distance, best);
            index += step;
        }

        int lane = 0;
        for (int i = 1; i < Vector<double>.Count; i++)
        {
            if (best[i] < best[lane] || (best[i] == best[lane] && bestIndex[i] < bestIndex[lane]))
                lane = i;
        }

        return (int)bestIndex[lane];
    }

    static byte ToByte(double value) => (byte)Math.Clamp(Math.Round(127.5 * (value + 1.0), MidpointRounding.ToEven), 0, 255);

    static double[] Channel(double[] clusters, int channel)
    {
        int lanes = Vector<double>.Count;
        var values = new double[((clusters.Length / 3) + lanes - 1) / lanes * lanes];
        Array.Fill(values, double.PositiveInfinity);
        for (int i = 0; i < clusters.Length / 3; i++)
            values[i] = clusters[(i * 3) + channel];
        return values;
    }
}
