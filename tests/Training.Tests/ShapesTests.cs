using IgptCluster.Training.Data;
using IgptCluster.Training.Shapes;

namespace IgptCluster.Training.Tests;

public sealed class ShapesTests
{
    [Fact]
    public void Write_SameSeed_GivesTheSameFilesHoweverMany()
    {
        using var folder = new TemporaryFolder();
        Write(folder["few"], [2, 1, 1], seed: 5);
        Write(folder["many"], [3, 2, 1], seed: 5);
        Write(folder["other"], [2, 1, 1], seed: 6);
        foreach (string file in Directory.EnumerateFiles(folder["few"], "*.png", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(folder["few"], file);
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(folder["many"], name)));
            Assert.NotEqual(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(folder["other"], name)));
        }
    }

    [Fact]
    public void Write_AllSplits_HoldNoImageTwice()
    {
        using var folder = new TemporaryFolder();
        Write(folder.Path, [20, 10, 10], seed: 1);
        string[] images = [.. Directory.EnumerateFiles(folder.Path, "*.png", SearchOption.AllDirectories).Select(file => Convert.ToHexString(File.ReadAllBytes(file)))];
        Assert.Equal(40 * ShapeFigures.All.Count, images.Length);
        Assert.Equal(images.Length, images.Distinct().Count());
        Assert.Equal([.. ShapeFigures.All.Select(figure => figure.Name)], ImageFolder.Open(folder["train"], needsClasses: true).Classes);
    }

    [Fact]
    public void Contains_EachFigure_FillsAPartOfItsPlaceAndNoTwoAreAlike()
    {
        Assert.True(ShapeFigures.All.Count >= 10);
        string[] masks = [.. ShapeFigures.All.Select(figure => string.Concat(Enumerable.Range(0, 32 * 32).Select(i => figure.Contains(((i % 32) - 15.5) / 14, ((i / 32) - 15.5) / 14) ? '1' : '0')))];
        Assert.All(masks, mask => Assert.InRange(mask.Count(pixel => pixel == '1'), 100, 700));
        for (int left = 0; left < masks.Length; left++)
        {
            for (int right = 0; right < left; right++)
                Assert.True(masks[left].Zip(masks[right]).Count(pair => pair.First != pair.Second) > 60, $"{ShapeFigures.All[left].Name} and {ShapeFigures.All[right].Name}");
        }
    }

    static void Write(string folder, int[] perClass, int seed) => ShapesWriter.Write(folder, perClass, 32, seed, _ => { }, TestContext.Current.CancellationToken);
}
