namespace IgptCluster.Imaging;

/// <summary>Colour tokens to pixels. Any thread may call.</summary>
public static class TokenImage
{
    const byte Gray = 128;

    /// <summary>Renders an image or its beginning.</summary>
    /// <param name="palette">The colours.</param>
    /// <param name="tokens">Colours in raster order, at most width · height; the pixels after them are mid-gray.</param>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <exception cref="ImagingException">Too many tokens, or one that is no colour of the palette.</exception>
    public static RgbImage Render(Palette palette, ReadOnlySpan<int> tokens, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(palette);
        if (width < 1 || height < 1 || tokens.Length > (long)width * height)
            throw new ImagingException($"an image of {width} × {height} has at most {(long)width * height} tokens; given {tokens.Length}");
        byte[] rgb = new byte[width * height * 3];
        rgb.AsSpan(tokens.Length * 3).Fill(Gray);
        for (int i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)palette.Count)
                throw new ImagingException($"a token is a colour of the palette, 0 … {palette.Count - 1}; given {tokens[i]} at position {i}");
            palette.Rgb.Slice(tokens[i] * 3, 3).CopyTo(rgb.AsSpan(i * 3));
        }

        return new RgbImage(width, height, rgb);
    }
}
