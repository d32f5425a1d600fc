namespace IgptCluster.Imaging.Tests;

/// <summary>Images with known content.</summary>
static class TestImages
{
    public static RgbImage Gradient(int width, int height) => Create(width, height, (x, y) => ((byte)(x * 7), (byte)(y * 11), (byte)((x * y) + 3)));

    public static RgbImage Noise(int width, int height, int seed)
    {
        var rgb = new byte[width * height * 3];
        new Random(seed).NextBytes(rgb);
        return new RgbImage(width, height, rgb);
    }

    public static RgbImage Solid(int width, int height, byte level) => Create(width, height, (_, _) => (level, level, level));

    public static RgbImage Create(int width, int height, Func<int, int, (byte Red, byte Green, byte Blue)> colour)
    {
        var rgb = new byte[width * height * 3];
        for (int i = 0; i < width * height; i++)
            (rgb[i * 3], rgb[(i * 3) + 1], rgb[(i * 3) + 2]) = colour(i % width, i / width);
        return new RgbImage(width, height, rgb);
    }

    public static (byte Red, byte Green, byte Blue) At(this RgbImage image, int x, int y)
    {
        ReadOnlySpan<byte> pixel = image.Row(y).Slice(x * 3, 3);
        return (pixel[0], pixel[1], pixel[2]);
    }
}
