namespace IgptCluster.Imaging.Decoding;

/// <summary>How an image file becomes pixels.</summary>
public sealed record ImageDecoderOptions
{
    /// <summary>Upright images, 16-bit gray by its high byte, the default limits.</summary>
    public static ImageDecoderOptions Default { get; } = new();

    /// <summary>The pixels of Pillow's <c>Image.open(file).convert("RGB")</c>, which Hugging Face's processor sees: EXIF orientation ignored, 16-bit gray clipped.</summary>
    public static ImageDecoderOptions HuggingFace { get; } = new() { ApplyExifOrientation = false, Gray16 = Gray16Conversion.ClipAsPillow };

    /// <summary>What an image may cost; default <see cref="ImageLimits.Default"/>.</summary>
    public ImageLimits Limits { get; init; } = ImageLimits.Default;

    /// <summary>Turns and mirrors the pixels as the EXIF orientation says, so that the image is upright. Default true; Hugging Face's processor does not.</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <summary>What becomes of 16-bit gray PNG. Default the high byte.</summary>
    public Gray16Conversion Gray16 { get; init; } = Gray16Conversion.HighByte;
}
