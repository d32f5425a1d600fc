using System.Text.Json;
using IgptCluster.Files;
using IgptCluster.Imaging.Resampling;

namespace IgptCluster.Imaging.Processing;

/// <summary>Reads the fields of a preprocessor_config.json and collects every broken rule, so that one message shows all.</summary>
sealed class ProcessorConfigReader : IDisposable
{
    const int MaxSide = 4096;
    const int DefaultSide = 256;
    const int MaxProblems = 20;
    const double Tolerance = 1e-6;

    readonly JsonDocument _document;
    readonly JsonElement _root;
    readonly string _source;
    readonly List<string> _problems = [];

    ProcessorConfigReader(JsonDocument document, string source)
    {
        _document = document;
        _root = document.RootElement;
        _source = source;
    }

    internal static ProcessorConfigReader Parse(string json, string source)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json.AsMemory(json.StartsWith('\uFEFF') ? 1 : 0));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw new ImagingException($"{source} {IncompleteFile.JsonFault(json, exception)} (NaN and Infinity are not JSON either)", exception);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return new ProcessorConfigReader(document, source);
        using (document)
            throw new ImagingException($"{source} must hold a JSON object; given {Show(document.RootElement)}");
    }

    internal void ThrowOnProblems()
    {
        if (_problems.Count > 0)
            throw new ImagingException($"{_source}: {string.Join("; ", _problems.Take(MaxProblems))}");
    }

    /// <summary>A switch, true where the file does not have it.</summary>
    internal bool ReadSwitch(string name)
    {
        if (Find(name) is not { } value)
            return true;
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            _problems.Add($"'{name}' must be true or false; given {Show(value)}");
        return value.ValueKind != JsonValueKind.False;
    }

    internal (int Height, int Width) ReadSize()
    {
        if (Find("size") is not { } size)
            return (DefaultSide, DefaultSide);
        if (size.ValueKind == JsonValueKind.Number)
        {
            int side = ReadSide("size", size);
            return CheckArea(side, side);
        }

        if (size.ValueKind != JsonValueKind.Object || !size.TryGetProperty("height", out JsonElement height) || !size.TryGetProperty("width", out JsonElement width))
        {
            _problems.Add($"'size' must be an integer or an object with 'height' and 'width'; given {Show(size)}");
            return (1, 1);
        }

        return CheckArea(ReadSide("size.height", height), ReadSide("size.width", width));
    }

    internal ResampleFilter ReadResample()
    {
        if (Find("resample") is not { } value)
            return ResampleFilter.Bilinear;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int code) && Enum.IsDefined((ResampleFilter)code))
            return (ResampleFilter)code;
        _problems.Add($"'resample' must be one of Pillow's filters, 0 (nearest) to 5 (Hamming); given {Show(value)}: ImageGPT uses 2");
        return ResampleFilter.Bilinear;
    }

    internal double[] ReadClusters()
    {
        if (Find("clusters") is not { } rows)
        {
            _problems.Add("'clusters' must be there: the colours of the tokens, n rows of 3 numbers; given none");
            return [];
        }

        if (rows.ValueKind != JsonValueKind.Array || rows.GetArrayLength() is < 1 or > Palette.MaxCount)
        {
            string given = rows.ValueKind == JsonValueKind.Array ? $"{rows.GetArrayLength():N0} rows" : Show(rows);
            _problems.Add($"'clusters' must be an array of 1 to {Palette.MaxCount:N0} rows of 3 numbers; given {given}");
            return [];
        }

        var clusters = new double[rows.GetArrayLength() * 3];
        var unreadable = new Offence($"'clusters' must have rows of 3 numbers");
        var outside = new Offence("'clusters' must lie in [-1, 1] (divide colours of 0 to 255 by 127.5 and subtract 1)");
        int row = 0;
        foreach (JsonElement element in rows.EnumerateArray())
        {
            Span<double> colour = clusters.AsSpan(row * 3, 3);
            if (!TryReadNumbers(element, colour))
                unreadable.Count(row, element);
            else if (!Palette.IsInRange(colour[0]) || !Palette.IsInRange(colour[1]) || !Palette.IsInRange(colour[2]))
                outside.Count(row, element);
            row++;
        }

        unreadable.AddTo(_problems);
        outside.AddTo(_problems);
        return clusters;
    }

    /// <summary>A file of another model's processor would be read to wrong tokens.</summary>
    internal void CheckType()
    {
        foreach (string name in (ReadOnlySpan<string>)["image_processor_type", "feature_extractor_type"])
        {
            if (Find(name) is { } type && !(type.ValueKind == JsonValueKind.String && type.GetString()!.StartsWith("ImageGPT", StringComparison.Ordinal)))
                _problems.Add($"'{name}' must name an ImageGPT processor; given {Show(type)}");
        }

        foreach (string name in (ReadOnlySpan<string>)["do_center_crop", "do_pad"])
        {
            if (Find(name) is { ValueKind: not JsonValueKind.False } value)
                _problems.Add($"'{name}' must be false, ImageGPT knows no such step; given {Show(value)}");
        }
    }

    /// <summary>Version 5 writes the normalisation as rescale, mean and deviation: only values that give v / 127.5 − 1 pass.</summary>
    internal void CheckNormalisation(bool normalises, bool quantises)
    {
        if (!normalises)
        {
            if (quantises)
                _problems.Add("'do_normalize' must be true where 'do_color_quantize' is, as the clusters lie in [-1, 1]; given false");
            return;
        }

        if (!ReadSwitch("do_rescale"))
            _problems.Add("'do_rescale' must be true where 'do_normalize' is; given false");
        CheckNear("rescale_factor", 1 / 255.0);
        CheckNear("image_mean", 0.5);
        CheckNear("image_std", 0.5);
    }

    public void Dispose() => _document.Dispose();

    void CheckNear(string name, double expected)
    {
        if (Find(name) is not { } value)
            return;
        Span<double> numbers = stackalloc double[3];
        if (value.ValueKind == JsonValueKind.Number)
            numbers.Fill(value.GetDouble());
        else if (!TryReadNumbers(value, numbers))
            numbers.Fill(double.NaN);
        foreach (double number in numbers)
        {
            if (Math.Abs(number - expected) <= Tolerance)
                continue;
            _problems.Add($"'{name}' must be {expected:R} in every channel, which is ImageGPT's v / 127.5 - 1; given {Show(value)}");
            return;
        }
    }

    int ReadSide(string name, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int side) && side is >= 1 and <= MaxSide)
            return side;
        _problems.Add($"'{name}' must be an integer from 1 to {MaxSide}; given {Show(value)}");
        return 1;
    }

    (int Height, int Width) CheckArea(int height, int width)
    {
        if (height * width > ImageProcessor.MaxPixels)
            _problems.Add($"'size' must have at most {ImageProcessor.MaxPixels:N0} pixels; given {width} x {height}");
        return (height, width);
    }

    /// <summary>The field's value; null also where it is JSON's null, which means the default.</summary>
    JsonElement? Find(string name) =>
        _root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    static bool TryReadNumbers(JsonElement array, Span<double> numbers)
    {
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() != numbers.Length)
            return false;
        int i = 0;
        foreach (JsonElement element in array.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number)
                return false;
            numbers[i++] = element.GetDouble();
        }

        return true;
    }

    static string Show(JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= 80 ? text : $"{text.AsSpan(0, 80)}...";
    }

    /// <summary>A rule that many rows may break alike: shown once, with the first row and the number of rows.</summary>
    sealed class Offence(string rule)
    {
        string? _first;
        int _rows;

        internal void Count(int row, JsonElement given)
        {
            _first ??= $"row {row}: {Show(given)}";
            _rows++;
        }

        internal void AddTo(List<string> problems)
        {
            if (_first is not null)
                problems.Add($"{rule}; given {_first}{(_rows > 1 ? $" and {_rows - 1:N0} more such rows" : "")}");
        }
    }
}
