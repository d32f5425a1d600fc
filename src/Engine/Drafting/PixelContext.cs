namespace IgptCluster.Engine.Drafting;

/// <summary>The neighbours of a pixel that come before it in raster order, as keys of tables: the nearest ones, and fewer of them where those were never seen.</summary>
public static class PixelContext
{
    /// <summary>Number of contexts of a pixel, from the one with the most neighbours to the one with the fewest.</summary>
    public const int Orders = 4;

    const ulong NotZero = 1UL << 63; // tables have free places
    const ulong Step = 0xD6E8FEB86659FD93; // an odd number, so that no context is a fixed point
    const int Outside = 0xFFFF; // stands for a colour behind the picture's edge

    /// <summary>Writes the keys of a pixel's contexts.</summary>
    /// <param name="raster">The colours before it.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="keys">One for each of <see cref="Orders"/>, none of them 0.</param>
    public static void Write(ReadOnlySpan<int> raster, int width, Span<ulong> keys)
    {
        int position = raster.Length;
        (int x, int y) = (position % width, position / width);
        ulong left = At(raster, width, x - 1, y), up = At(raster, width, x, y - 1), upLeft = At(raster, width, x - 1, y - 1), upRight = At(raster, width, x + 1, y - 1);
        ulong pair = Mix(Mix(1, left), up);
        ulong four = Mix(Mix(pair, upLeft), upRight);
        ulong seven = Mix(Mix(Mix(four, At(raster, width, x - 2, y)), At(raster, width, x, y - 2)), At(raster, width, x + 2, y - 1));
        (keys[0], keys[1], keys[2], keys[3]) = (seven | NotZero, four | NotZero, pair | NotZero, Mix(2, up) | NotZero);
    }

    static ulong At(ReadOnlySpan<int> raster, int width, int x, int y) => x < 0 || y < 0 || x >= width ? Outside : (ulong)raster[(y * width) + x];

    static ulong Mix(ulong key, ulong value)
    {
        ulong mixed = (key + value + Step) * 0x9E3779B97F4A7C15;
        return mixed ^ (mixed >> 29);
    }
}
