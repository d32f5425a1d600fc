using IgptCluster.Training.Data;
using IgptCluster.Training.Evaluation;

namespace IgptCluster.Training.Tests;

public sealed class CountPredictorTests
{
    [Fact]
    public void Losses_TwoColoursByChance_AreThatOfACoin()
    {
        var random = new Random(1);
        TokenDataset Coins(int count) => Data([.. Enumerable.Range(0, count).Select(_ => (ushort[])[.. Enumerable.Range(0, 16).Select(_ => (ushort)random.Next(2))])]);
        var counts = new CountPredictor(Coins(2000), colours: 2);
        TokenDataset test = Coins(500);
        Assert.Equal(Math.Log(2), counts.UnigramLoss(test), 0.01);
        Assert.Equal(Math.Log(2), counts.NeighbourLoss(test), 0.02);
    }

    [Fact]
    public void NeighbourLoss_ColourFollowsFromNeighbours_IsNearNone()
    {
        // A pixel is the sum of its neighbours: certain but for the borders.
        ushort[] image = new ushort[16];
        image[0] = 1;
        for (int i = 1; i < 16; i++)
            image[i] = (ushort)(((i % 4 == 0 ? 3 : image[i - 1]) + (i < 4 ? 2 : image[i - 4])) % 5);
        var counts = new CountPredictor(Data([.. Enumerable.Repeat(image, 200)]), colours: 5);
        Assert.InRange(counts.NeighbourLoss(Data([image])), 0, 0.05);
        Assert.True(counts.UnigramLoss(Data([image])) > 1);
    }

    [Fact]
    public void NeighbourLoss_ColoursNeverSeen_StaysFinite()
    {
        var counts = new CountPredictor(Data([new ushort[16]]), colours: 5);
        double loss = counts.NeighbourLoss(Data([[.. Enumerable.Repeat((ushort)4, 16)]]));
        Assert.True(double.IsFinite(loss) && loss > 1, $"{loss}");
    }

    static TokenDataset Data(ushort[][] images) => new(4, 4, [], images, [.. images.Select(_ => -1)]);
}
