namespace IgptCluster.Imaging.Decoding;

/// <summary>
/// Decodes PNG, JPEG, WebP, GIF (first frame) and BMP, told apart by content and never by name, into the pixels of
/// Pillow's <c>Image.open(file).convert("RGB")</c>: alpha and tRNS dropped (hidden colours stay), gamma and colour
/// profiles ignored, 16 bits by the high byte, CMYK by the naive formula. Any thread may call.
/// </summary>
/// <remarks>
/// Intended differences by default: the EXIF orientation is applied, and 16-bit gray is not clipped; see
/// <see cref="ImageDecoderOptions.HuggingFace"/>. Truncated and corrupt files are refused, not filled up.
/// </remarks>
public static class ImageDecoder
{
    /// <summary>Decodes one image file.</summary>
    /// <param name="encoded">The whole file. Copied; may be reused when the call returns.</param>
    /// <param name="options">Limits and orientation; null means <see cref="ImageDecoderOptions.Default"/>.</param>
    /// <returns>The first frame.</returns>
    /// <exception cref="ImagingException">Another format, above a limit, truncated or corrupt.</exception>
    public static RgbImage Decode(ReadOnlySpan<byte> encoded, ImageDecoderOptions? options = null) => Decode(encoded, options ?? ImageDecoderOptions.Default, isOpacity: false);

    /// <summary>How opaque each pixel of an image file is, as gray: 0 where it is transparent, 255 where it is opaque and in files without transparency.</summary>
    /// <param name="encoded">The whole file. Copied; may be reused when the call returns.</param>
    /// <param name="options">Limits and orientation; null means <see cref="ImageDecoderOptions.Default"/>.</param>
    /// <exception cref="ImagingException">As <see cref="Decode(ReadOnlySpan{byte}, ImageDecoderOptions?)"/>.</exception>
    public static RgbImage DecodeOpacity(ReadOnlySpan<byte> encoded, ImageDecoderOptions? options = null) => Decode(encoded, options ?? ImageDecoderOptions.Default, isOpacity: true);

    static RgbImage Decode(ReadOnlySpan<byte> encoded, ImageDecoderOptions options, bool isOpacity)
    {
        options.Limits.CheckBytes(encoded.Length);
        ImageFormat format = ImageSignature.Recognise(encoded);
        byte[]? grayAlpha = null;
        bool clipGray16 = !isOpacity && options.Gray16 == Gray16Conversion.ClipAsPillow
            && format == ImageFormat.Png
            && Gray16Png.TryAsGrayAlpha(encoded, out grayAlpha);
        using SkiaCodec codec = SkiaCodec.Open(clipGray16 ? grayAlpha : encoded, format)
            ?? throw new ImagingException($"the image begins as {Name(format)} but its header is broken or cut off: export it again");
        options.Limits.CheckSize(codec.Width, codec.Height);

        string? problem = codec.TryDecode(out Span<byte> rgba);
        if (problem is null && format == ImageFormat.Jpeg && !JpegEnd.IsReached(encoded))
            problem = "its data end too early";
        if (problem is not null)
            throw new ImagingException($"the {Name(format)} image of {codec.Width} × {codec.Height} cannot be decoded: {problem}; export it again");
        if (isOpacity)
            ShowOpacity(rgba);
        else if (clipGray16)
            ClipToLowByte(rgba);
        else if (format == ImageFormat.Gif)
            FillHidden(rgba, GifHiddenColour.Read(encoded));
        int orientation = format == ImageFormat.Png ? PngOrientation.Read(encoded) : codec.Orientation;
        var upright = ExifOrientation.For(options.ApplyExifOrientation ? orientation : 1, codec.Width, codec.Height);
        return new RgbImage(upright.Width, upright.Height, upright.Pack(rgba, codec.Width));
    }

    static void ShowOpacity(Span<byte> rgba)
    {
        for (int i = 0; i < rgba.Length; i += 4)
            rgba.Slice(i, 3).Fill(rgba[i + 3]);
    }

    static void ClipToLowByte(Span<byte> highAndLow)
    {
        for (int i = 0; i < highAndLow.Length; i += 4)
            highAndLow.Slice(i, 3).Fill(highAndLow[i] != 0 ? (byte)255 : highAndLow[i + 3]);
    }

    static void FillHidden(Span<byte> rgba, (byte Red, byte Green, byte Blue) colour)
    {
        for (int i = 0; i < rgba.Length; i += 4)
        {
            if (rgba[i + 3] == 0)
                (rgba[i], rgba[i + 1], rgba[i + 2]) = colour;
        }
    }

    static string Name(ImageFormat format) => format switch
    {
        ImageFormat.WebP => "WebP",
        _ => format.ToString().ToUpperInvariant(),
    };
}
