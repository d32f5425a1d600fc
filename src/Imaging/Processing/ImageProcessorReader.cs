using System.Globalization;
using System.Text.Json;

namespace IgptCluster.Imaging;

/// <summary>Reads preprocessor_config.json, collecting every problem before it gives up.</summary>
sealed class ImageProcessorReader
{
    const int MaxSide = 4096;
    const int MaxColours = 65_536;

    readonly List<string> _problems = [];
    readonly JsonElement _root;

    ImageProcessorReader(JsonElement root) => _root = root;

    internal static ImageProcessor Read(string json, string source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.TrimStart('\uFEFF'), new JsonDocumentOptions { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ImagingException($"{source}: must be a JSON object; given {Kind(document.RootElement)}");
            var reader = new ImageProcessorReader(document.RootElement);
            ImageProcessor? processor = reader.Read();
            return processor ?? throw new ImagingException($"{source}: {string.Join("; ", reader._problems)}");
        }
        catch (JsonException failure)
        {
            throw new ImagingException($"{source}: is not JSON: {failure.Message}", failure);
        }
    }

    ImageProcessor? Read()
    {
        double[]? clusters = Clusters();
        (int height, int width) = Size();
        int resample = Number("resample", 2, 0, 5);
        bool resize = Flag("do_resize");
        bool normalize = Flag("do_normalize");
        bool quantize = Flag("do_color_quantize");
        Newer();
        Palette? palette = null;
        try
        {
            palette = clusters is null ? null : Palette.FromClusters(clusters);
        }
        catch (ImagingException refused)
        {
            _problems.Add($"clusters: {refused.Message}");
        }

        return _problems.Count > 0 || palette is null ? null : new ImageProcessor
        {
            Palette = palette,
            Width = width,
            Height = height,
            Resample = (ResampleFilter)resample,
            DoResize = resize,
            DoNormalize = normalize,
            DoColorQuantize = quantize,
        };
    }

    double[]? Clusters()
    {
        if (!_root.TryGetProperty("clusters", out JsonElement rows) || rows.ValueKind != JsonValueKind.Array || rows.GetArrayLength() is 0 or > MaxColours)
        {
            string given = rows.ValueKind == JsonValueKind.Array ? $"{rows.GetArrayLength()} of them" : Kind(rows);
            _problems.Add($"clusters: must be 1 … {MaxColours} colours of three numbers each; given {given}");
            return null;
        }

        var values = new List<double>(rows.GetArrayLength() * 3);
        int index = 0;
        foreach (JsonElement row in rows.EnumerateArray())
        {
            if (row.ValueKind != JsonValueKind.Array || row.GetArrayLength() != 3 || row.EnumerateArray().Any(value => value.ValueKind != JsonValueKind.Number))
            {
                _problems.Add($"clusters[{index}]: must be three numbers; given {row.GetRawText()[..Math.Min(60, row.GetRawText().Length)]}");
                return null;
            }

            values.AddRange(row.EnumerateArray().Select(value => value.GetDouble()));
            index++;
        }

        return [.. values];
    }

    (int Height, int Width) Size()
    {
        // Hugging Face's own default is 256 × 256; no ImageGPT has that many positions, so an absent size is a mistake worth naming.
        if (!_root.TryGetProperty("size", out JsonElement size))
        {
            _problems.Add("size: must be given, as {\"height\": 32, \"width\": 32} or as one number; it is absent");
            return default;
        }

        if (size.ValueKind == JsonValueKind.Number)
        {
            int side = Side("size", size);
            return (side, side);
        }

        if (size.ValueKind != JsonValueKind.Object || !size.TryGetProperty("height", out JsonElement height) || !size.TryGetProperty("width", out JsonElement width))
        {
            _problems.Add($"size: must have height and width; given {size.GetRawText()[..Math.Min(80, size.GetRawText().Length)]}");
            return default;
        }

        return (Side("size.height", height), Side("size.width", width));
    }

    int Side(string name, JsonElement given)
    {
        if (given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out int side) && side is >= 1 and <= MaxSide)
            return side;
        _problems.Add($"{name}: must be a whole number of pixels, 1 … {MaxSide}; given {given.GetRawText()}");
        return 0;
    }

    int Number(string name, int otherwise, int least, int most)
    {
        if (!_root.TryGetProperty(name, out JsonElement given) || given.ValueKind == JsonValueKind.Null)
            return otherwise;
        if (given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out int value) && value >= least && value <= most)
            return value;
        _problems.Add($"{name}: must be a whole number, {least} … {most}; given {given.GetRawText()}");
        return otherwise;
    }

    bool Flag(string name)
    {
        if (!_root.TryGetProperty(name, out JsonElement given) || given.ValueKind is JsonValueKind.Null or JsonValueKind.True)
            return true;
        if (given.ValueKind != JsonValueKind.False)
            _problems.Add($"{name}: must be true or false; given {given.GetRawText()}");
        return false;
    }

    /// <summary>The newer fields spell the same normalisation otherwise; any other normalisation would need another model.</summary>
    void Newer()
    {
        Means("rescale_factor", 1 / 255.0, 1e-6);
        Means("image_mean", 0.5, 1e-6);
        Means("image_std", 0.5, 1e-6);
    }

    void Means(string name, double expected, double tolerance)
    {
        if (!_root.TryGetProperty(name, out JsonElement given) || given.ValueKind == JsonValueKind.Null)
            return;
        JsonElement[] values = given.ValueKind == JsonValueKind.Array ? [.. given.EnumerateArray()] : [given];
        if (values.Length == 0 || values.Any(value => value.ValueKind != JsonValueKind.Number || Math.Abs(value.GetDouble() - expected) > tolerance))
            _problems.Add(string.Create(CultureInfo.InvariantCulture, $"{name}: ImageGPT's pixels are scaled to −1 … 1, so it must be {expected:0.######}; given {given.GetRawText()}"));
    }

    static string Kind(JsonElement given) => given.ValueKind == JsonValueKind.Undefined ? "nothing" : given.ValueKind.ToString().ToLowerInvariant();
}
