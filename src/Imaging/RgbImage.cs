namespace IgptCluster.Imaging;

/// <summary>Pixels of 8-bit RGB, row-major, three bytes a pixel. Not changed after it is made, so any thread may read it.</summary>
public sealed class RgbImage
{
    readonly byte[] _rgb;

    /// <summary>Takes over the pixels; the caller must not write to <paramref name="rgb"/> afterwards.</summary>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="rgb">width · height · 3 bytes: rows from the top, pixels from the left, red, green, blue.</param>
    /// <exception cref="ImagingException">A side is below 1, or the number of bytes does not fit the sides.</exception>
    public RgbImage(int width, int height, byte[] rgb)
    {
        ArgumentNullException.ThrowIfNull(rgb);
        if (width < 1 || height < 1)
            throw new ImagingException($"an image has at least one pixel on each side; given {width} × {height}");
        if (rgb.Length != (long)width * height * 3)
            throw new ImagingException($"an RGB image of {width} × {height} has {(long)width * height * 3:N0} bytes; given {rgb.Length:N0}");
        Width = width;
        Height = height;
        _rgb = rgb;
    }

    /// <summary>Pixels in a row, at least 1.</summary>
    public int Width { get; }

    /// <summary>Rows, at least 1.</summary>
    public int Height { get; }

    /// <summary>All pixels: width · height · 3 bytes, row-major, red, green, blue.</summary>
    public ReadOnlySpan<byte> Rgb => _rgb;

    /// <summary>The same bytes as <see cref="Rgb"/>, where a span cannot be kept.</summary>
    public ReadOnlyMemory<byte> Memory => _rgb;

    /// <summary>One row of pixels: width · 3 bytes.</summary>
    /// <param name="y">0 (top) to <see cref="Height"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public ReadOnlySpan<byte> Row(int y)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(y);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(y, Height);
        return _rgb.AsSpan(y * Width * 3, Width * 3);
    }

    /// <summary>Each pixel as a square: nearest neighbour by a whole factor.</summary>
    /// <param name="factor">Pixels on a side of the square, 1 to 64; 1 gives the image itself.</param>
    /// <exception cref="ImagingException">Another factor, or a result of more pixels than an array can hold (some 715 million).</exception>
    public RgbImage Upscale(int factor)
    {
        if (factor is < 1 or > 64)
            throw new ImagingException($"an image is scaled up by 1 to 64; given {factor}");
        if (factor == 1)
            return this;
        byte[] scaled = Allocate((long)Width * factor, (long)Height * factor);
        int stride = Width * factor * 3;
        for (int y = 0; y < Height; y++)
        {
            ReadOnlySpan<byte> row = Row(y);
            Span<byte> block = scaled.AsSpan(y * factor * stride, factor * stride);
            for (int x = 0; x < Width; x++)
                Fill(block.Slice(x * factor * 3, factor * 3), (row[x * 3], row[(x * 3) + 1], row[(x * 3) + 2]));
            for (int copy = 1; copy < factor; copy++)
                block[..stride].CopyTo(block[(copy * stride)..]);
        }

        return new RgbImage(Width * factor, Height * factor, scaled);
    }

    /// <summary>The bytes for an image of that size.</summary>
    /// <exception cref="ImagingException">A side is below 1, or the bytes would not fit into an array.</exception>
    internal static byte[] Allocate(long width, long height)
    {
        if (width < 1 || height < 1 || width * height > Array.MaxLength / 3)
            throw new ImagingException($"an image has at least one pixel on each side and at most {Array.MaxLength / 3:N0} in all; given {width} × {height}");
        return new byte[width * height * 3];
    }

    /// <summary>Writes one colour to all of these pixels.</summary>
    internal static void Fill(Span<byte> rgb, (byte Red, byte Green, byte Blue) colour)
    {
        for (int i = 0; i < rgb.Length; i += 3)
            (rgb[i], rgb[i + 1], rgb[i + 2]) = colour;
    }
}
