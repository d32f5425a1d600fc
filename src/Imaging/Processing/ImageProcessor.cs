namespace IgptCluster.Imaging;

/// <summary>
/// Hugging Face's <c>ImageGPTImageProcessor</c>: resize as Pillow does, normalise to [−1, 1], nearest colour. Gives exactly its tokens for
/// an image converted to RGB. Immutable; any thread may call.
/// </summary>
public sealed record ImageProcessor
{
    /// <summary>The colours.</summary>
    public required Palette Palette { get; init; }

    /// <summary>Width of the model's images in pixels.</summary>
    public required int Width { get; init; }

    /// <summary>Height of the model's images in pixels.</summary>
    public required int Height { get; init; }

    /// <summary>Filter of the resize; Hugging Face's default is bilinear.</summary>
    public ResampleFilter Resample { get; init; } = ResampleFilter.Bilinear;

    /// <summary>Whether images are resized; if not they must have the size already.</summary>
    public bool DoResize { get; init; } = true;

    /// <summary>Whether pixels are scaled to [−1, 1]; if not they are compared with the clusters as 0 … 255.</summary>
    public bool DoNormalize { get; init; } = true;

    /// <summary>Whether pixels become colour tokens.</summary>
    public bool DoColorQuantize { get; init; } = true;

    /// <summary>Reads preprocessor_config.json in any form Hugging Face has written.</summary>
    /// <param name="json">The file's text.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <exception cref="ImagingException">Not JSON, or values that break a rule: all of them are named.</exception>
    public static ImageProcessor Parse(string json, string source = "preprocessor_config.json") => ImageProcessorReader.Read(json, source);

    /// <summary>The image at the model's size.</summary>
    /// <param name="image">Any image.</param>
    /// <exception cref="ImagingException">Resizing is switched off and the size differs.</exception>
    public RgbImage Resize(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (DoResize)
            return PillowResampler.Resize(image, Width, Height, Resample);
        return image.Width == Width && image.Height == Height ? image : throw new ImagingException(
            $"this model does not resize (do_resize is false): its images are {Width} × {Height}; given {image.Width} × {image.Height}");
    }

    /// <summary>Resized and normalised pixels, without the colour step.</summary>
    /// <param name="image">Any image.</param>
    /// <returns>float32 [3, height, width].</returns>
    /// <exception cref="ImagingException">Resizing is switched off and the size differs.</exception>
    public float[] PixelValues(RgbImage image)
    {
        RgbImage resized = Resize(image);
        float[] levels = Levels();
        int pixels = resized.Width * resized.Height;
        float[] values = new float[pixels * 3];
        ReadOnlySpan<byte> rgb = resized.Rgb;
        for (int i = 0; i < pixels; i++)
        {
            for (int channel = 0; channel < 3; channel++)
                values[(channel * pixels) + i] = levels[rgb[(i * 3) + channel]];
        }

        return values;
    }

    /// <summary>An image's colour tokens.</summary>
    /// <param name="image">Any image.</param>
    /// <returns>height · width tokens in raster order.</returns>
    /// <exception cref="ImagingException">Resizing is switched off and the size differs, or colour quantisation is.</exception>
    public int[] Tokenize(RgbImage image)
    {
        if (!DoColorQuantize)
            throw new ImagingException("this model's preprocessor_config.json says do_color_quantize false: it makes no tokens; set it to true");
        RgbImage resized = Resize(image);
        float[] levels = Levels();
        int[] tokens = new int[resized.Width * resized.Height];
        ReadOnlySpan<byte> rgb = resized.Rgb;
        for (int i = 0; i < tokens.Length; i++)
        {
            // Neighbouring pixels are often equal.
            bool same = i > 0 && rgb.Slice(i * 3, 3).SequenceEqual(rgb.Slice((i - 1) * 3, 3));
            tokens[i] = same ? tokens[i - 1] : Palette.Nearest(levels[rgb[i * 3]], levels[rgb[(i * 3) + 1]], levels[rgb[(i * 3) + 2]]);
        }

        return tokens;
    }

    /// <summary>Each byte's value, rounded to float32 where Hugging Face rounds: after the product and after the difference.</summary>
    float[] Levels()
    {
        float[] levels = new float[256];
        for (int value = 0; value < levels.Length; value++)
            levels[value] = DoNormalize ? (float)(value * (1 / 127.5)) - 1 : value;
        return levels;
    }
}
