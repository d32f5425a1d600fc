namespace IgptCluster.Imaging.Decoding;

/// <summary>How a PNG of 16-bit gray becomes 8-bit: a convention in which Pillow stands alone.</summary>
public enum Gray16Conversion
{
    /// <summary>The high byte, so that black stays black and white stays white (as with 16-bit RGB).</summary>
    HighByte,

    /// <summary>As Pillow's <c>convert("RGB")</c> does from mode I: values above 255 become 255, so nearly all of a usual image is white.</summary>
    ClipAsPillow,
}
