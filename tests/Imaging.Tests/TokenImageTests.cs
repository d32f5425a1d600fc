using IgptCluster.Imaging.Processing;

namespace IgptCluster.Imaging.Tests;

public sealed class TokenImageTests
{
    static readonly Palette Colours = Palette.FromClusters([-1, -1, -1, 1, -1, -1, 1, 1, 1]);

    [Fact]
    public void Render_FewerTokens_FillsTheRestWithMidGray()
    {
        RgbImage image = TokenImage.Render(Colours, [1, 2], 2, 2);
        Assert.Equal((byte[])[255, 0, 0, 255, 255, 255, 128, 128, 128, 128, 128, 128], image.Rgb.ToArray());
    }

    [Fact]
    public void Render_FewerTokensAndColour_FillsTheRestWithIt()
    {
        Assert.Equal((byte[])[0, 0, 0, 9, 8, 7], TokenImage.Render(Colours, [0], 2, 1, (9, 8, 7)).Rgb.ToArray());
        Assert.Equal((byte[])[9, 8, 7], TokenImage.Render(Colours, [], 1, 1, (9, 8, 7)).Rgb.ToArray());
    }

    [Theory]
    [InlineData(3, "0 to 2; given 3 at position 1")]
    [InlineData(-1, "0 to 2; given -1 at position 1")]
    [InlineData(int.MinValue, "at position 1")]
    public void Render_TokenWithoutColour_NamesTokenAndPosition(int token, string expected) =>
        Assert.Contains(expected, Assert.Throws<ImagingException>(() => TokenImage.Render(Colours, [0, token], 2, 2)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(2, 1, "2 pixels; given 3 tokens")]
    [InlineData(0, 5, "0 × 5")]
    [InlineData(5, -1, "5 × -1")]
    [InlineData(int.MaxValue, int.MaxValue, "at most")]
    public void Render_SizeThatDoesNotFit_Throws(int width, int height, string expected) =>
        Assert.Contains(expected, Assert.Throws<ImagingException>(() => TokenImage.Render(Colours, [0, 1, 2], width, height)).Message, StringComparison.Ordinal);

    [Fact]
    public void Tokenize_RenderedTokens_GivesThemBack()
    {
        var processor = ImageProcessor.Parse("""{"clusters": [[-1, -1, -1], [1, -1, -1], [1, 1, 1]], "size": {"height": 2, "width": 3}}""");
        int[] tokens = [2, 1, 0, 0, 1, 2];
        Assert.Equal(tokens, processor.Tokenize(TokenImage.Render(processor.Palette, tokens, 3, 2)));
    }
}
