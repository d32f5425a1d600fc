using IgptCluster.Imaging.Processing;
using IgptCluster.Training.Palettes;

namespace IgptCluster.Training.Tests;

public sealed class PaletteTests
{
    [Fact]
    public void Train_AsManyColoursAsThereAre_FindsThemAll()
    {
        byte[][] colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [250, 250, 250], [10, 10, 10], [128, 128, 0]];
        var random = new Random(1);
        byte[] pixels = [.. Enumerable.Range(0, 3000).SelectMany(_ => colours[random.Next(colours.Length)])];
        Palette palette = Train(pixels, colours.Length, seed: 3);
        Assert.Equal(
            colours.Select(Convert.ToHexString).Order(),
            Enumerable.Range(0, palette.Count).Select(i => Convert.ToHexString(palette.Rgb.Slice(i * 3, 3))).Order());
    }

    [Fact]
    public void Train_MoreColours_LowersTheError()
    {
        byte[] pixels = Noise();
        double few = Error(pixels, Train(pixels, 8, seed: 1));
        double many = Error(pixels, Train(pixels, 64, seed: 1));
        Assert.True(many < 0.5 * few, $"{few} with 8 colours, {many} with 64");

        // A grid over the cube knows nothing of the pixels.
        Assert.True(many < Error(pixels, Palette.FromClusters(GridPalette.Clusters(64))));
    }

    [Fact]
    public void Train_SameSeed_GivesTheSamePalette()
    {
        byte[] pixels = Noise();
        Assert.Equal(Train(pixels, 16, seed: 1).Clusters.ToArray(), Train(pixels, 16, seed: 1).Clusters.ToArray());
        Assert.NotEqual(Train(pixels, 16, seed: 1).Clusters.ToArray(), Train(pixels, 16, seed: 2).Clusters.ToArray());
    }

    [Fact]
    public void Train_Cancelled_Stops()
    {
        using var cancelled = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => PaletteTraining.Train(Noise(), 16, 1_000_000, 1, done => cancelled.Cancel(), cancelled.Token));
    }

    [Fact]
    public void Write_Palette_IsReadByTheProcessorAsItIs()
    {
        Palette palette = Train(Noise(), 16, seed: 1);
        var processor = ImageProcessor.Parse(ProcessorJson.Write(palette.Clusters, 24));
        Assert.Equal(palette.Clusters.ToArray(), processor.Palette.Clusters.ToArray());
        Assert.Equal((24, 24), (processor.Width, processor.Height));
    }

    // Two clouds of colours.
    static byte[] Noise()
    {
        var random = new Random(2);
        return [.. Enumerable.Range(0, 4000 * 3).Select(i => (byte)(random.Next(60) + (i / 3 % 2 == 0 ? 20 : 160)))];
    }

    static Palette Train(byte[] pixels, int colours, int seed) => PaletteTraining.Train(pixels, colours, 50, seed, _ => { }, TestContext.Current.CancellationToken);

    static double Error(byte[] pixels, Palette palette)
    {
        int[] tokens = new int[pixels.Length / 3];
        palette.Nearest(pixels, tokens);
        return pixels.Index().Sum(pixel => Math.Pow(pixel.Item - palette.Rgb[(tokens[pixel.Index / 3] * 3) + (pixel.Index % 3)], 2));
    }
}
