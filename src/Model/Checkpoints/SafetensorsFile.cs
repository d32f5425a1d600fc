using System.Buffers.Binary;
using System.Text.Json;
using IgptCluster.Files;
using static TorchSharp.torch;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// Reads safetensors: eight bytes of header length, a JSON header, then the tensors without gaps. Checked completely, and nothing is allocated by what
/// the header claims. Tensors of types that are not read are listed: whoever needs none of them is not concerned.
/// </summary>
static class SafetensorsFile
{
    const int LengthBytes = 8;
    const int MaxHeader = 100 << 20;

    /// <summary>All tensors of a file.</summary>
    /// <param name="file">The file; its tensors can be read as long as it is open.</param>
    /// <exception cref="CheckpointException">The file breaks a rule of the format.</exception>
    internal static List<CheckpointTensor> Read(UserFile file)
    {
        long header = HeaderLength(file);
        try
        {
            using JsonDocument document = JsonDocument.Parse(file.ReadBytes(LengthBytes, header), new JsonDocumentOptions { MaxDepth = 16 });
            return Tensors(file, document.RootElement, LengthBytes + header);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            throw Broken(file, $"its header is not JSON: {failure.Message}");
        }
    }

    static long HeaderLength(UserFile file)
    {
        if (file.Length < LengthBytes)
        {
            throw Broken(file, $"a safetensors file begins with the header's length in 8 bytes; it has {file.Length} bytes in all: {Hint(file)}");
        }

        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(file.ReadBytes(0, LengthBytes));
        if (header < 2 || header > MaxHeader || header > (ulong)(file.Length - LengthBytes))
        {
            throw Broken(file, $"its header's length must be 2 … {Math.Min(MaxHeader, file.Length - LengthBytes)} bytes; given {header}: {(header <= MaxHeader && file.Length > LengthBytes && IsHeader(file) ? IncompleteFile.Cure : Hint(file))}");
        }

        return (long)header;
    }

    // A header is a JSON object, or what there is of one.
    static bool IsHeader(UserFile file) => file.ReadBytes(LengthBytes, 1)[0] == '{';

    static List<CheckpointTensor> Tensors(UserFile file, JsonElement root, long data)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Broken(file, $"its header must be a JSON object; given {root.ValueKind}");
        }

        var entries = new List<(CheckpointTensor Tensor, long Begin, long End)>();
        var names = new HashSet<string>();
        foreach (JsonProperty entry in root.EnumerateObject())
        {
            if (!names.Add(entry.Name))
            {
                throw Broken(file, $"tensor '{Shown(entry.Name)}' is listed twice");
            }

            if (entry.Name != "__metadata__")
            {
                entries.Add(Entry(file, entry, data));
            }
        }

        long needed = entries.Select(entry => entry.End).DefaultIfEmpty().Max();
        if (needed > file.Length - data)
        {
            throw Broken(file, $"by its header it has {(Int128)data + needed} bytes; given {file.Length}: {IncompleteFile.Cure}");
        }

        CheckCoverage(file, [.. entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End).Select(entry => (entry.Tensor.Name, entry.Begin, entry.End))], file.Length - data);
        return [.. entries.Select(entry => entry.Tensor)];
    }

    static (CheckpointTensor Tensor, long Begin, long End) Entry(UserFile file, JsonProperty entry, long data)
    {
        string name = entry.Name;
        JsonElement value = entry.Value;
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Broken(file, $"tensor '{Shown(name)}' must be described by an object; given {value.ValueKind}");
        }

        string dtype = value.TryGetProperty("dtype", out JsonElement given) && given.ValueKind == JsonValueKind.String
            ? given.GetString()!
            : throw Broken(file, $"tensor '{Shown(name)}': dtype must be a text; given {Field(value, "dtype")}");
        long[] shape = Numbers(value, "shape") ?? throw Broken(file, $"tensor '{Shown(name)}': shape must be a list of whole numbers from 0; given {Field(value, "shape")}");
        if (Numbers(value, "data_offsets") is not { Length: 2 } offsets)
        {
            throw Broken(file, $"tensor '{Shown(name)}': data_offsets must be two whole numbers from 0; given {Field(value, "data_offsets")}");
        }

        (long begin, long end) = (offsets[0], offsets[1]);
        if (begin > end)
        {
            throw Broken(file, $"tensor '{Shown(name)}': data_offsets must ascend; given {begin}, {end}");
        }

        if (TypeOf(dtype) is not { } type)
        {
            return (CheckpointTensor.Unread(name, Shown(dtype), shape, file.Name), begin, end);
        }

        Int128 expected = shape.Aggregate((Int128)CheckpointTensor.SizeOf(type), (bytes, size) => bytes > long.MaxValue ? bytes : bytes * size);
        if (expected != end - begin)
        {
            throw Broken(file, $"tensor '{Shown(name)}': shape [{string.Join(", ", shape)}] of {type} takes {expected} bytes; given {end - begin}");
        }

        return (new CheckpointTensor(name, type, shape, new FileBytes(file, data + begin)), begin, end);
    }

    static void CheckCoverage(UserFile file, (string Name, long Begin, long End)[] entries, long data)
    {
        long covered = 0;
        foreach ((string name, long begin, long end) in entries)
        {
            if (begin != covered)
            {
                throw Broken(file, $"tensor '{Shown(name)}' must begin where the one before it ends, at {covered}; given {begin}");
            }

            covered = end;
        }

        if (covered != data)
        {
            throw Broken(file, $"its tensors must cover all {data} data bytes; they cover {covered}");
        }
    }

    static ScalarType? TypeOf(string dtype) => dtype switch
    {
        "F64" => ScalarType.Float64,
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        "I64" => ScalarType.Int64,
        "I32" => ScalarType.Int32,
        "I16" => ScalarType.Int16,
        "I8" => ScalarType.Int8,
        "U8" => ScalarType.Byte,
        "BOOL" => ScalarType.Bool,
        _ => null,
    };

    static long[]? Numbers(JsonElement value, string name)
    {
        if (!value.TryGetProperty(name, out JsonElement list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > 16)
        {
            return null;
        }

        var numbers = new List<long>();
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long number) || number < 0)
            {
                return null;
            }

            numbers.Add(number);
        }

        return [.. numbers];
    }

    static string Field(JsonElement value, string name) => value.TryGetProperty(name, out JsonElement given) ? Shown(given.GetRawText()) : "nothing";

    static string Shown(string text) => text.Length <= 80 ? text : text[..80] + "…";

    static string Hint(UserFile file) => FileHint.Of(file.Beginning());

    static CheckpointException Broken(UserFile file, string rule) => new($"{file.Name}: {rule}");
}
