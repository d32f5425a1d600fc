using IgptCluster.Imaging.Output;

namespace IgptCluster.Imaging.Tests.Output;

public sealed class ContactSheetTests
{
    [Fact]
    public void Compose_UnequalTiles_CentresThemInTheirCells()
    {
        RgbImage sheet = ContactSheet.Compose([[TestImages.Solid(4, 2, 10), TestImages.Solid(1, 1, 20)], [TestImages.Solid(2, 2, 30), TestImages.Solid(3, 4, 40)]], gap: 1);
        string picture = string.Join('/', Enumerable.Range(0, sheet.Height).Select(y => string.Concat(
            Enumerable.Range(0, sheet.Width).Select(x => sheet.At(x, y).Red switch { 128 => '.', byte level => (char)('0' + (level / 10)) }))));
        Assert.Equal("........../.1111..2../.1111...../........../......444./..33..444./..33..444./......444./..........", picture);
    }

    [Fact]
    public void Compose_RowsOfDifferentLength_LeavesBackground()
    {
        RgbImage sheet = ContactSheet.Compose([[TestImages.Solid(2, 2, 0), TestImages.Solid(2, 2, 0)], [], [TestImages.Solid(2, 2, 0)]]);
        Assert.Equal(((4 * 3) + 4, (4 * 4) + 4), (sheet.Width, sheet.Height));
        Assert.Equal((128, 128, 128), sheet.At(10, 14));
    }

    [Fact]
    public void Compose_NoGap_PutsTilesSideBySide()
    {
        RgbImage tile = TestImages.Noise(3, 2, 1);
        RgbImage sheet = ContactSheet.Compose([[tile, tile]], gap: 0);
        Assert.Equal([.. tile.Row(1), .. tile.Row(1)], sheet.Row(1).ToArray());
    }

    [Fact]
    public void Compose_BrokenRule_NamesIt()
    {
        RgbImage tile = TestImages.Solid(1, 1, 0);
        Assert.Contains("at least one tile", Assert.Throws<ImagingException>(() => ContactSheet.Compose([[], []])).Message, StringComparison.Ordinal);
        Assert.Contains("given -1", Assert.Throws<ImagingException>(() => ContactSheet.Compose([[tile]], -1)).Message, StringComparison.Ordinal);
        RgbImage tall = TestImages.Solid(1, 40_000, 0);
        RgbImage wide = TestImages.Solid(40_000, 1, 0);
        Assert.Contains("at most", Assert.Throws<ImagingException>(() => ContactSheet.Compose([[tall], [wide]])).Message, StringComparison.Ordinal);
    }
}
