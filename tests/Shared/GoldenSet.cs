using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace IgptCluster.Tests.Shared;

/// <summary>
/// The golden reference data: the folder named by IGPT_GOLDEN, else tests/golden of this checkout. Any set of its layout will do: tests that
/// compare with it take the names of models and cases from it, and those that are about something else read <see cref="Bundled"/>.
/// </summary>
internal static class GoldenSet
{
    /// <summary>The set that lies with the tests, whatever IGPT_GOLDEN says.</summary>
    public static string Bundled { get; } = Path.Combine(RepositoryRoot(), "tests", "golden");

    public static string Folder { get; } = Environment.GetEnvironmentVariable("IGPT_GOLDEN") is { Length: > 0 } named
        ? named
        : Bundled;

    public static string PathOf(params string[] parts) => Path.Combine([Folder, .. parts]);

    public static JsonDocument Json(params string[] parts) => JsonDocument.Parse(File.ReadAllBytes(PathOf(parts)));

    public static GoldenTensors Tensors(params string[] parts) => new(PathOf(parts));

    public static string RepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "IgptCluster.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no IgptCluster.sln above {AppContext.BaseDirectory}");
    }
}

/// <summary>The tensors of one golden safetensors file: a reader of its own, so that the product's reader is not tested against itself.</summary>
internal sealed class GoldenTensors
{
    readonly byte[] _file;
    readonly Dictionary<string, (string Dtype, long[] Shape, int Start, int End)> _entries = [];

    public GoldenTensors(string path)
    {
        _file = File.ReadAllBytes(path);
        int header = checked((int)BinaryPrimitives.ReadInt64LittleEndian(_file));
        using JsonDocument document = JsonDocument.Parse(_file.AsMemory(8, header));
        foreach (JsonProperty entry in document.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            _entries[entry.Name] = (
                entry.Value.GetProperty("dtype").GetString()!,
                [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())],
                8 + header + offsets[0].GetInt32(),
                8 + header + offsets[1].GetInt32());
        }
    }

    public IEnumerable<string> Names => _entries.Keys;

    public long[] Shape(string name) => _entries[name].Shape;

    public bool IsInteger(string name) => !_entries[name].Dtype.Contains('F', StringComparison.Ordinal);

    public float[] Floats(string name) => Convert(name, (dtype, bytes) => dtype switch
    {
        "F32" => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
        "F64" => Array.ConvertAll(MemoryMarshal.Cast<byte, double>(bytes).ToArray(), value => (float)value),
        _ => throw new InvalidOperationException($"{name} is {dtype}, not a float"),
    });

    public double[] Doubles(string name) => Convert(name, (dtype, bytes) => dtype switch
    {
        "F64" => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
        "F32" => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(bytes).ToArray(), value => (double)value),
        _ => throw new InvalidOperationException($"{name} is {dtype}, not a float"),
    });

    public long[] Integers(string name) => Convert(name, (dtype, bytes) => dtype switch
    {
        "I64" => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
        "I32" => Array.ConvertAll(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), value => (long)value),
        "I16" => Array.ConvertAll(MemoryMarshal.Cast<byte, short>(bytes).ToArray(), value => (long)value),
        "U8" or "BOOL" => Array.ConvertAll(bytes.ToArray(), value => (long)value),
        _ => throw new InvalidOperationException($"{name} is {dtype}, not an integer"),
    });

    public byte[] Bytes(string name)
    {
        var (_, _, start, end) = _entries[name];
        return _file[start..end];
    }

    delegate T[] Reader<T>(string dtype, ReadOnlySpan<byte> bytes);

    T[] Convert<T>(string name, Reader<T> read)
    {
        var (dtype, _, start, end) = _entries[name];
        return read(dtype, _file.AsSpan(start, end - start));
    }
}
