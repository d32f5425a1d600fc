using SkiaSharp;

namespace IgptCluster.Imaging.Decoding;

/// <summary>
/// The only type that knows SkiaSharp: headers and pixels of files in an allowed format, and animated WebP out.
/// Another library takes its place by giving the same members.
/// </summary>
sealed class SkiaCodec : IDisposable
{
    readonly SKData _data;
    readonly SKCodec _codec;
    SKBitmap? _bitmap;

    SkiaCodec(SKData data, SKCodec codec)
    {
        _data = data;
        _codec = codec;
    }

    internal int Width => _codec.Info.Width;

    internal int Height => _codec.Info.Height;

    /// <summary>EXIF's numbering, 1 (upright) to 8; always 1 of a PNG, see <see cref="PngOrientation"/>.</summary>
    internal int Orientation => (int)_codec.EncodedOrigin;

    /// <summary>Reads the header; null when it is not a readable one of that format.</summary>
    internal static SkiaCodec? Open(ReadOnlySpan<byte> encoded, ImageFormat format)
    {
        // From SKData, never from a Stream: an exception in a stream's native callback ends the process.
        SKData data = SKData.CreateCopy(encoded);
        SKCodec? codec = SKCodec.Create(data);
        if (codec is not null && codec.EncodedFormat == Native(format))
            return new SkiaCodec(data, codec);
        codec?.Dispose();
        data.Dispose();
        return null;
    }

    /// <summary>Decodes the first frame as it is stored: width · height · 4 bytes of unpremultiplied RGBA that live as long as this codec.</summary>
    /// <returns>The reason why there is no complete image, or null.</returns>
    internal string? TryDecode(out Span<byte> rgba)
    {
        rgba = default;

        // No colour space and no premultiplication: the stored values, also of colours that alpha hides.
        SKImageInfo info = new(Width, Height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        _bitmap = new SKBitmap();
        if (!_bitmap.TryAllocPixels(info, info.RowBytes))
            return "there is not enough memory for its pixels";
        SKCodecResult result = _codec.GetPixels(info, _bitmap.GetPixels(), info.RowBytes, SKCodecOptions.Default);
        if (result != SKCodecResult.Success)
            return result == SKCodecResult.IncompleteInput ? "its data end too early" : $"its data are broken ({result})";
        rgba = _bitmap.GetPixelSpan();
        return null;
    }

    /// <summary>One lossless WebP animation of frames that all have one size.</summary>
    internal static byte[] EncodeAnimatedWebP(IReadOnlyList<RgbImage> frames, IReadOnlyList<TimeSpan> delays)
    {
        var bitmaps = new List<SKBitmap>(frames.Count);
        try
        {
            var native = new SKWebpEncoderFrame[frames.Count];
            for (int i = 0; i < native.Length; i++)
            {
                bitmaps.Add(ToBitmap(frames[i]));
                native[i] = new SKWebpEncoderFrame(bitmaps[i], delays[i]);
            }

            using SKData? data = SKWebpEncoder.EncodeAnimated(native, new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 75));
            return data?.ToArray() ?? throw new ImagingException(
                $"the WebP encoder refused {frames.Count} frames of {frames[0].Width} × {frames[0].Height}; a WebP side is at most 16,383: choose a smaller scale");
        }
        finally
        {
            bitmaps.ForEach(bitmap => bitmap.Dispose());
        }
    }

    public void Dispose()
    {
        _bitmap?.Dispose();
        _codec.Dispose();
        _data.Dispose();
    }

    static SKEncodedImageFormat Native(ImageFormat format) => format switch
    {
        ImageFormat.Png => SKEncodedImageFormat.Png,
        ImageFormat.Jpeg => SKEncodedImageFormat.Jpeg,
        ImageFormat.WebP => SKEncodedImageFormat.Webp,
        ImageFormat.Gif => SKEncodedImageFormat.Gif,
        ImageFormat.Bmp => SKEncodedImageFormat.Bmp,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "a format without a decoder"),
    };

    static SKBitmap ToBitmap(RgbImage image)
    {
        var bitmap = new SKBitmap(new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque, null));
        Span<byte> rgba = bitmap.GetPixelSpan();
        ReadOnlySpan<byte> rgb = image.Rgb;
        for (int from = 0, to = 0; from < rgb.Length; from += 3, to += 4)
        {
            rgb.Slice(from, 3).CopyTo(rgba[to..]);
            rgba[to + 3] = 255;
        }

        return bitmap;
    }
}
