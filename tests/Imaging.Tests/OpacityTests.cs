using IgptCluster.Imaging.Decoding;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests;

public sealed class OpacityTests
{
    [Fact]
    public void DecodeOpacity_FileWithATransparentArea_IsBlackThere()
    {
        RgbImage opacity = ImageDecoder.DecodeOpacity(Read("mask.png"));
        for (int y = 0; y < opacity.Height; y++)
        {
            for (int x = 0; x < opacity.Width; x++)
            {
                bool isTransparent = y is >= 8 and < 16 && x is >= 8 and < 24;
                Assert.Equal(isTransparent ? 0 : 255, opacity.Row(y)[x * 3]);
            }
        }
    }

    [Fact]
    public void DecodeOpacity_FileWithoutTransparency_IsWhite() => Assert.Equal(-1, ImageDecoder.DecodeOpacity(Read("house.png")).Rgb.IndexOfAnyExcept((byte)255));

    static byte[] Read(string name) => File.ReadAllBytes(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", name));
}
