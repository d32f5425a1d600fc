using Google.Protobuf;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Models;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Images;

/// <summary>Turns what clients send into colour tokens. Any thread; as many files are decoded at once as there are processors.</summary>
internal sealed class ImageReader(IOptions<GatewayOptions> options) : IDisposable
{
    readonly SemaphoreSlim _decoders = new(Environment.ProcessorCount);

    readonly ImageDecoderOptions _decoding = new()
    {
        ApplyExifOrientation = options.Value.ApplyExifOrientation,
        Gray16 = options.Value.ApplyExifOrientation ? Gray16Conversion.HighByte : Gray16Conversion.ClipAsPillow,
        Limits = new ImageLimits { MaxBytes = options.Value.MaxImageBytes, MaxPixels = options.Value.MaxImagePixels },
    };

    /// <summary>Reads whole images.</summary>
    /// <param name="model">The model they are for.</param>
    /// <param name="images">The request's <c>images</c>.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <returns>Colour tokens per image.</returns>
    /// <exception cref="IgptException">InvalidArgument, Unsupported.</exception>
    public async Task<int[][]> ReadAllAsync(ServedModel model, IReadOnlyList<ImageInput> images, CancellationToken cancellationToken)
    {
        int most = options.Value.MaxImages;
        Require.That(images.Count >= 1 && images.Count <= most, "images", $"1 … {most} images are taken at once; given {images.Count}");
        int[][] tokens = new int[images.Count][];
        for (int i = 0; i < tokens.Length; i++)
        {
            string field = $"images[{i}]";
            TokenImageInput image = await ReadAsync(model, images[i], field, cancellationToken);
            Require.That(
                image.IsWhole,
                $"{field}.tokens.ids",
                $"an image of {image.Width} × {image.Height} has {image.Pixels} tokens; given {image.Tokens.Length}");
            tokens[i] = image.Tokens;
        }

        return tokens;
    }

    /// <summary>Reads one image or its beginning.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="image">What the client sent.</param>
    /// <param name="field">Where it stands in the request.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <exception cref="IgptException">InvalidArgument, Unsupported.</exception>
    public async Task<TokenImageInput> ReadAsync(ServedModel model, ImageInput image, string field, CancellationToken cancellationToken) => image.SourceCase switch
    {
        ImageInput.SourceOneofCase.Encoded => await DecodeAsync(model, image.Encoded, $"{field}.encoded", cancellationToken),
        ImageInput.SourceOneofCase.Tokens => FromGrid(model, image.Tokens, $"{field}.tokens"),
        _ => throw Require.Invalid(field, "an image needs a source: set encoded (a PNG, JPEG, WebP, GIF or BMP file) or tokens"),
    };

    /// <summary>Reads where an image file is transparent, of the model's size.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="encoded">The file.</param>
    /// <param name="field">Where it stands in the request.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <returns>For each pixel in raster order whether more than half of it is transparent.</returns>
    /// <exception cref="IgptException">InvalidArgument, Unsupported.</exception>
    public async Task<bool[]> ReadTransparencyAsync(ServedModel model, ByteString encoded, string field, CancellationToken cancellationToken)
    {
        ImageProcessor processor = model.RequiredProcessor;
        RgbImage opacity = await DecodeAsync(() => processor.DoResize ? processor.Resize(ImageDecoder.DecodeOpacity(encoded.Span, _decoding)) : ImageDecoder.DecodeOpacity(encoded.Span, _decoding), field, cancellationToken);
        bool[] isTransparent = new bool[opacity.Width * opacity.Height];
        for (int i = 0; i < isTransparent.Length; i++)
        {
            isTransparent[i] = opacity.Rgb[i * 3] <= byte.MaxValue / 2;
        }

        return isTransparent;
    }

    public void Dispose() => _decoders.Dispose();

    async Task<TokenImageInput> DecodeAsync(ServedModel model, ByteString encoded, string field, CancellationToken cancellationToken)
    {
        ImageProcessor processor = model.RequiredProcessor;
        TokenImageInput image = await DecodeAsync(
            () =>
            {
                RgbImage pixels = ImageDecoder.Decode(encoded.Span, _decoding);
                (int width, int height) = processor.DoResize ? (processor.Width, processor.Height) : (pixels.Width, pixels.Height);
                return new TokenImageInput(width, height, processor.Tokenize(pixels));
            },
            field,
            cancellationToken);
        return Checked(model, image, field);
    }

    async Task<T> DecodeAsync<T>(Func<T> decode, string field, CancellationToken cancellationToken)
    {
        await _decoders.WaitAsync(cancellationToken);
        try
        {
            return decode();
        }
        catch (ImagingException refused)
        {
            throw Require.Invalid(field, refused.Message);
        }
        finally
        {
            _decoders.Release();
        }
    }

    static TokenImageInput FromGrid(ServedModel model, TokenGrid grid, string field)
    {
        int width = Side(grid.Width, model.Processor?.Width, $"{field}.width");
        int height = Side(grid.Height, model.Processor?.Height, $"{field}.height");
        Require.That(
            grid.Ids.Count <= (long)width * height,
            $"{field}.ids",
            $"an image of {width} × {height} has at most {(long)width * height} tokens; given {grid.Ids.Count}");
        int colours = model.Description.VocabularySize - 1;
        for (int i = 0; i < grid.Ids.Count; i++)
        {
            Require.That(grid.Ids[i] < colours, $"{field}.ids[{i}]", $"a token must be a colour, 0 … {colours - 1}; given {grid.Ids[i]}");
        }

        return Checked(model, new TokenImageInput(width, height, [.. grid.Ids.Select(id => (int)id)]), field);
    }

    static int Side(uint given, int? own, string field)
    {
        Require.That(given <= 65_535, field, $"a side has at most 65,535 pixels; given {given}");
        return given > 0 ? (int)given : own ?? throw Require.Invalid(field, "the model's checkpoint has no preprocessor_config.json, so the size must be given");
    }

    static TokenImageInput Checked(ServedModel model, TokenImageInput image, string field)
    {
        int most = model.Description.PositionCount;
        Require.That(
            (long)image.Width * image.Height <= most,
            field,
            $"model '{model.Description.Name}' takes images of up to {most} pixels; given {image.Width} × {image.Height}");
        return image;
    }
}
