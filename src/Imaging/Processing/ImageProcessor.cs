using IgptCluster.Imaging.Resampling;

namespace IgptCluster.Imaging.Processing;

/// <summary>
/// What preprocessor_config.json says: how an image becomes tokens. Gives the tokens of Hugging Face's
/// ImageGPTImageProcessor (the Pillow one; the torchvision one may differ by a level after resizing).
/// Not changed after it is made, so any thread may use it.
/// </summary>
public sealed class ImageProcessor
{
    /// <summary>Most pixels that are tokenised: 1,048,576. Bounds the time where <see cref="DoResize"/> is off.</summary>
    public const int MaxPixels = 1 << 20;

    ImageProcessor(ProcessorConfigReader config, string source)
    {
        Source = source;
        DoResize = config.ReadSwitch("do_resize");
        DoNormalize = config.ReadSwitch("do_normalize");
        DoColorQuantize = config.ReadSwitch("do_color_quantize");
        (Height, Width) = config.ReadSize();
        Resample = config.ReadResample();
        config.CheckType();
        config.CheckNormalisation(DoNormalize, DoColorQuantize);
        double[] clusters = config.ReadClusters();
        config.ThrowOnProblems();
        Palette = Palette.FromClusters(clusters);
    }

    /// <summary>The colours of the tokens (<c>clusters</c>).</summary>
    public Palette Palette { get; }

    /// <summary>Pixels in a row after resizing, 1 to 4,096.</summary>
    public int Width { get; }

    /// <summary>Rows after resizing, 1 to 4,096.</summary>
    public int Height { get; }

    /// <summary>How images are resized; ImageGPT's is <see cref="ResampleFilter.Bilinear"/>.</summary>
    public ResampleFilter Resample { get; }

    /// <summary>Whether images are resized at all (<c>do_resize</c>); default true.</summary>
    public bool DoResize { get; }

    /// <summary>Whether levels are brought to [−1, 1] (<c>do_normalize</c>); default true.</summary>
    public bool DoNormalize { get; }

    /// <summary>Whether pixels become tokens (<c>do_color_quantize</c>, absent in files of 2021); default true.</summary>
    public bool DoColorQuantize { get; }

    /// <summary>The name in messages.</summary>
    string Source { get; }

    /// <summary>
    /// Reads a preprocessor_config.json in any form Hugging Face has written: 2021 (<c>size</c> a number), 4.x
    /// (<c>size</c> with height and width) and 5 (rescale and mean with the same effect). Absent fields have Hugging Face's defaults, but for
    /// <c>clusters</c>, which must be there.
    /// </summary>
    /// <param name="json">The file's text.</param>
    /// <param name="source">The name to use in messages, as a path.</param>
    /// <exception cref="ImagingException">Not JSON, or rules are broken: the message names the source and lists all of them with the given values.</exception>
    public static ImageProcessor Parse(string json, string source = "preprocessor_config.json")
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(source);
        using var config = ProcessorConfigReader.Parse(json, source);
        return new ImageProcessor(config, source);
    }

    /// <summary>Checks that this processor's tokens and images fit a model.</summary>
    /// <param name="colourTokens">Colours the model can name: <c>vocab_size</c> − 1.</param>
    /// <param name="positions">Tokens of one image the model can hold: <c>n_positions</c>.</param>
    /// <exception cref="ImagingException">Another number of colours (ids would be taken for SOS, or would have no colour), or more pixels than positions.</exception>
    public void RequireFit(int colourTokens, int positions)
    {
        var problems = new List<string>();
        if (Palette.Count != colourTokens)
            problems.Add($"'clusters' must have as many colours as the model has colour tokens, vocab_size - 1 = {colourTokens}; given {Palette.Count}: use the processor the model was trained with");
        if ((long)Width * Height > positions)
            problems.Add($"'size' must have at most n_positions = {positions} pixels; given {Width} x {Height} = {(long)Width * Height}: use the size the model was trained with");
        if (problems.Count > 0)
            throw new ImagingException($"{Source}: {string.Join("; ", problems)}");
    }

    /// <summary>The image in the processor's size, whatever its aspect; itself where <see cref="DoResize"/> is off or nothing is to do.</summary>
    /// <param name="image">An image of any size.</param>
    public RgbImage Resize(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return DoResize ? PillowResampler.Resize(image, Width, Height, Resample) : image;
    }

    /// <summary>Resizes, normalises and takes the nearest colour of each pixel.</summary>
    /// <param name="image">An image of any size; at most <see cref="MaxPixels"/> pixels where <see cref="DoResize"/> is off.</param>
    /// <returns>One token for each pixel in raster order, 0 to <c>Palette.Count</c> − 1.</returns>
    /// <exception cref="ImagingException"><see cref="DoColorQuantize"/> is off, or the image is not resized and too large.</exception>
    public int[] Tokenize(RgbImage image)
    {
        if (!DoColorQuantize)
            throw new ImagingException($"{Source}: 'do_color_quantize' is false, so images do not become tokens: set it to true");
        RgbImage resized = ResizeWithinLimit(image);
        var tokens = new int[resized.Width * resized.Height];
        Palette.Nearest(resized.Rgb, tokens);
        return tokens;
    }

    /// <summary>Resizes and normalises: what Hugging Face gives where <see cref="DoColorQuantize"/> is off.</summary>
    /// <param name="image">An image of any size; at most <see cref="MaxPixels"/> pixels where <see cref="DoResize"/> is off.</param>
    /// <returns>3 · height · width values, channels first: in [−1, 1], or 0 to 255 where <see cref="DoNormalize"/> is off.</returns>
    /// <exception cref="ImagingException">The image is not resized and too large.</exception>
    public float[] PixelValues(RgbImage image)
    {
        RgbImage resized = ResizeWithinLimit(image);
        ReadOnlySpan<byte> rgb = resized.Rgb;
        int plane = resized.Width * resized.Height;
        var values = new float[rgb.Length];
        for (int i = 0; i < rgb.Length; i++)
            values[(i % 3 * plane) + (i / 3)] = DoNormalize ? PixelNormalisation.ToFloat(rgb[i]) : rgb[i];
        return values;
    }

    RgbImage ResizeWithinLimit(RgbImage image)
    {
        RgbImage resized = Resize(image);
        if ((long)resized.Width * resized.Height > MaxPixels)
            throw new ImagingException($"without 'do_resize' an image has at most {MaxPixels:N0} pixels; given {resized.Width} x {resized.Height}: scale it down");
        return resized;
    }
}
