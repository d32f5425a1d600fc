namespace IgptCluster.Imaging.Decoding;

/// <summary>Formats that are decoded at all.</summary>
enum ImageFormat
{
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
}

/// <summary>Recognises a format by its first bytes, so that no decoder but the allowed ones ever sees the file.</summary>
static class ImageSignature
{
    internal static ReadOnlySpan<byte> Png => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    internal static ImageFormat Recognise(ReadOnlySpan<byte> encoded)
    {
        if (encoded.StartsWith(Png))
            return ImageFormat.Png;
        if (encoded.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return ImageFormat.Jpeg;
        if (encoded.Length >= 12 && encoded.StartsWith("RIFF"u8) && encoded[8..].StartsWith("WEBP"u8))
            return ImageFormat.WebP;
        if (encoded.StartsWith("GIF87a"u8) || encoded.StartsWith("GIF89a"u8))
            return ImageFormat.Gif;
        if (encoded.StartsWith("BM"u8))
            return ImageFormat.Bmp;
        throw new ImagingException(
            $"the image must be PNG, JPEG, WebP, GIF or BMP; given {Describe(encoded)}: convert it to one of these");
    }

    static string Describe(ReadOnlySpan<byte> encoded)
    {
        if (encoded.IsEmpty)
            return "0 bytes";
        string start = $"{encoded.Length:N0} bytes that begin {Convert.ToHexString(encoded[..Math.Min(8, encoded.Length)])}";
        return Guess(encoded) is { } guess ? $"{start} ({guess})" : start;
    }

    static string? Guess(ReadOnlySpan<byte> encoded)
    {
        if (encoded.StartsWith("%PDF"u8))
            return "PDF";
        if (encoded.StartsWith("II*\0"u8) || encoded.StartsWith("MM\0*"u8))
            return "TIFF";
        if (encoded.StartsWith("version https://git-lfs"u8))
            return "a Git LFS pointer: fetch the image itself with 'git lfs pull'";
        if (encoded.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]))
            return "ICO";
        if (encoded.Length >= 8 && encoded[4..].StartsWith("ftyp"u8))
            return "HEIC, AVIF or a video";
        return encoded.TrimStart(" \t\r\n"u8).StartsWith("<"u8) ? "SVG, HTML or another text of tags" : null;
    }
}
