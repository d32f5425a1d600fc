namespace IgptCluster.Imaging.Decoding;

/// <summary>What an encoded image may cost. All three are checked on the header, before any pixel is allocated.</summary>
/// <remarks>
/// Decoding takes 7 bytes a pixel (RGBA and RGB) and at most about 6 more inside the library (a progressive JPEG's
/// coefficients): some 440 MB for the largest image the defaults let pass, once per image decoded at the same time.
/// </remarks>
public sealed record ImageLimits
{
    /// <summary>8 MiB, 33,554,432 pixels, 65,535 pixels on a side.</summary>
    public static ImageLimits Default { get; } = new();

    /// <summary>Most bytes of the encoded file. Default 8 MiB: a camera's JPEG passes, an archive does not.</summary>
    public int MaxBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Most pixels, width · height. Default 33,554,432 (32 Mi): a 24-megapixel camera passes; at most 536,870,912 has an effect.</summary>
    public long MaxPixels { get; init; } = 32 * 1024 * 1024;

    /// <summary>Most pixels on a side. Default 65,535, the most that JPEG and GIF can hold: bounds the resampler's weights.</summary>
    public int MaxSide { get; init; } = 65_535;

    internal void CheckBytes(int bytes)
    {
        if (bytes > MaxBytes)
            throw new ImagingException($"the image file has {bytes:N0} bytes; at most {MaxBytes:N0} are accepted: scale it down or compress it more");
    }

    internal void CheckSize(int width, int height)
    {
        // An array of bytes ends near 2^31: whatever the setting, a pixel takes four in the decoder's buffer.
        long most = Math.Min(MaxPixels, (1 << 29) - 1);
        if (width < 1 || height < 1)
            throw new ImagingException($"the image is {width} × {height} pixels; each side must be at least 1: export it again");
        if ((long)width * height > most)
            throw new ImagingException($"the image is {width} × {height} = {(long)width * height:N0} pixels; at most {most:N0} are accepted: scale it down");
        if (Math.Max(width, height) > MaxSide)
            throw new ImagingException($"the image is {width} × {height} pixels; at most {MaxSide:N0} on a side are accepted: scale it down");
    }
}
