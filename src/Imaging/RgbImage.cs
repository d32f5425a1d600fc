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

    /// <summary>Each pixel as a square: nearest-neighbour enlargement.</summary>
    /// <param name="factor">Pixels per side of a square, 1 … 64.</param>
    /// <exception cref="ArgumentOutOfRangeException">The factor is out of range.</exception>
    public RgbImage Upscale(int factor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(factor, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(factor, 64);
        int stride = Width * factor * 3;
        byte[] rgb = new byte[checked(stride * Height * factor)];
        for (int y = 0; y < Height; y++)
        {
            Span<byte> line = rgb.AsSpan(y * factor * stride, stride);
            for (int x = 0; x < Width * factor; x++)
                Row(y).Slice(x / factor * 3, 3).CopyTo(line[(x * 3)..]);
            for (int copy = 1; copy < factor; copy++)
                line.CopyTo(rgb.AsSpan(((y * factor) + copy) * stride));
        }

        return new RgbImage(Width * factor, Height * factor, rgb);
    }
}
