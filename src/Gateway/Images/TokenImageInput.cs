namespace IgptCluster.Gateway.Images;

/// <summary>An image, or its beginning, as colour tokens.</summary>
/// <param name="Width">Pixels per row.</param>
/// <param name="Height">Rows of the whole image.</param>
/// <param name="Tokens">Colours in raster order, at most width · height.</param>
internal sealed record TokenImageInput(int Width, int Height, int[] Tokens)
{
    /// <summary>Pixels of the whole image.</summary>
    public int Pixels => Width * Height;

    /// <summary>Whether all pixels are given.</summary>
    public bool IsWhole => Tokens.Length == Pixels;
}
