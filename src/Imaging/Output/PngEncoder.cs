namespace IgptCluster.Imaging.Output;

/// <summary>Encodes PNG of 8-bit RGB, lossless. Any thread may call.</summary>
public static class PngEncoder
{
    /// <summary>The whole file of one image.</summary>
    /// <param name="image">The pixels.</param>
    public static byte[] Encode(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var writer = new PngWriter(image.Width, image.Height);
        writer.Write("IDAT"u8, PngRows.Compress(image, FrameArea.Whole(image)));
        return writer.Complete();
    }
}
