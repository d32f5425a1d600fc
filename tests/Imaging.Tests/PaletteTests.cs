using IgptCluster.Imaging.Processing;

namespace IgptCluster.Imaging.Tests;

public sealed class PaletteTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(512)]
    [InlineData(513)]
    public void Nearest_RandomPalette_EqualsExhaustiveSearch(int count)
    {
        var random = new Random(count);
        double[] clusters = [.. Enumerable.Range(0, count * 3).Select(_ => (random.NextDouble() * 2) - 1)];

        // Some duplicates, so that ties occur.
        if (count > 4)
            clusters.AsSpan(0, 6).CopyTo(clusters.AsSpan(clusters.Length - 6));
        byte[] rgb = TestImages.Noise(400, 1, count).Rgb.ToArray();
        var tokens = new int[400];
        Palette.FromClusters(clusters).Nearest(rgb, tokens);
        Assert.Equal(Enumerable.Range(0, 400).Select(i => Exhaustive(clusters, rgb.AsSpan(i * 3, 3))), tokens);
    }

    [Fact]
    public void Nearest_EqualDistances_TakesTheLowestIndex()
    {
        // The same colour in every place, and two colours at the same distance on both sides.
        double[] same = new double[37 * 3];
        var tokens = new int[1];
        Palette.FromClusters(same).Nearest([10, 200, 30], tokens);
        Assert.Equal(0, tokens[0]);
        double level = (float)(100 * (1 / 127.5)) - 1f;
        Palette.FromClusters([1, 1, 1, level + 0.25, level, level, level - 0.25, level, level]).Nearest([100, 100, 100], tokens);
        Assert.Equal(1, tokens[0]);
    }

    [Fact]
    public void Rgb_HalfSteps_RoundsToEven()
    {
        // Only those whose 127.5 * (c + 1) is exactly a half.
        double[] halves = [.. Enumerable.Range(0, 255).Select(level => ((level + 0.5) / 127.5) - 1).Where(c => 127.5 * (c + 1) % 1 == 0.5)];
        Assert.True(halves.Length > 20, $"{halves.Length} exact halves");
        var palette = Palette.FromClusters([.. halves.SelectMany(c => Enumerable.Repeat(c, 3))]);
        Assert.All(palette.Rgb.ToArray(), level => Assert.Equal(0, level % 2));
    }

    [Fact]
    public void Rgb_EndsOfTheRange_AreClamped()
    {
        var palette = Palette.FromClusters([-1, 0, 1, -1.0005, 1.0005, 0.5]);
        Assert.Equal((byte[])[0, 128, 255, 0, 255, 191], palette.Rgb.ToArray());
        Assert.Equal(palette.Rgb.ToArray(), palette.RgbMemory.ToArray());
        Assert.Equal(2, palette.Count);
    }

    [Fact]
    public void FromClusters_SourceChangedLater_KeepsItsColours()
    {
        double[] source = [-1, 0, 1];
        var palette = Palette.FromClusters(source);
        source[0] = 1;
        Assert.Equal((double[])[-1, 0, 1], palette.Clusters.ToArray());
    }

    [Theory]
    [InlineData(new double[0], "0 values")]
    [InlineData(new double[] { 0, 0 }, "2 values")]
    [InlineData(new double[] { 0, 0, 0, 0, 57, 0 }, "57 in channel 1 of colour 1")]
    [InlineData(new double[] { double.NaN, 0, 0 }, "NaN in channel 0")]
    [InlineData(new double[] { 0, 0, double.NegativeInfinity }, "in channel 2 of colour 0")]
    public void FromClusters_BrokenRule_NamesValue(double[] clusters, string expected) =>
        Assert.Contains(expected, Assert.Throws<ImagingException>(() => Palette.FromClusters(clusters)).Message, StringComparison.Ordinal);

    [Fact]
    public void Nearest_LengthsThatDoNotFit_Throws() =>
        Assert.Throws<ArgumentException>(() => Palette.FromClusters([0, 0, 0]).Nearest([1, 2, 3, 4], new int[1]));

    static int Exhaustive(double[] clusters, ReadOnlySpan<byte> pixel)
    {
        int best = -1;
        double smallest = double.PositiveInfinity;
        for (int i = 0; i < clusters.Length / 3; i++)
        {
            double distance = 0;
            for (int channel = 0; channel < 3; channel++)
            {
                double difference = (float)(pixel[channel] * (1 / 127.5)) - 1f - clusters[(i * 3) + channel];
                distance += difference * difference;
            }

            if (distance < smallest)
                (smallest, best) = (distance, i);
        }

        return best;
    }
}
