namespace IgptCluster.Imaging;

/// <summary>Writes PNG: 8-bit RGB. Any thread may call.</summary>
public static class PngEncoder
{
    /// <summary>Encodes one image.</summary>
    /// <param name="image">The pixels.</param>
    /// <returns>A whole PNG file.</returns>
    public static byte[] Encode(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var file = new MemoryStream();
        file.Write(ImageSignature.Png);
        PngChunks.Write(file, "IHDR"u8, PngChunks.Header(image));
        PngChunks.Write(file, "IDAT"u8, PngChunks.Compress(image));
        PngChunks.Write(file, "IEND"u8, []);
        return file.ToArray();
    }
}
