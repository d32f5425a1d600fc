namespace IgptCluster.Imaging.Processing;

/// <summary>Tokens back to pixels. Any thread may call.</summary>
public static class TokenImage
{
    static readonly (byte Red, byte Green, byte Blue) MidGray = (128, 128, 128);

    /// <summary>Draws tokens in raster order, each as its colour of the palette.</summary>
    /// <param name="palette">The colours.</param>
    /// <param name="tokens">At most width · height tokens, each 0 to <c>palette.Count</c> − 1; fewer make a partial image.</param>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="missing">The colour of the pixels without a token; null means mid gray (128, 128, 128).</param>
    /// <returns>An image of exactly the given size.</returns>
    /// <exception cref="ImagingException">A side below 1, too large an image, more tokens than pixels, or a token that is no colour of the palette (SOS included).</exception>
    public static RgbImage Render(Palette palette, ReadOnlySpan<int> tokens, int width, int height, (byte, byte, byte)? missing = null)
    {
        ArgumentNullException.ThrowIfNull(palette);
        byte[] rgb = RgbImage.Allocate(width, height);
        if (tokens.Length > (long)width * height)
            throw new ImagingException($"an image of {width} x {height} has {(long)width * height:N0} pixels; given {tokens.Length:N0} tokens");
        ReadOnlySpan<byte> colours = palette.Rgb;
        for (int i = 0; i < tokens.Length; i++)
        {
            int token = tokens[i];
            if ((uint)token >= (uint)palette.Count)
                throw new ImagingException($"a token is a colour of the palette, 0 to {palette.Count - 1}; given {token} at position {i}");
            colours.Slice(token * 3, 3).CopyTo(rgb.AsSpan(i * 3));
        }

        RgbImage.Fill(rgb.AsSpan(tokens.Length * 3), missing ?? MidGray);
        return new RgbImage(width, height, rgb);
    }
}
