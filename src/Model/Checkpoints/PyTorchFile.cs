using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using IgptCluster.Files;
using static TorchSharp.torch;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// Reads pytorch_model.bin: the zip archive of PyTorch 1.6 and later, and the older sequence of pickles. Only the data are read; the pickle's
/// code never runs.
/// </summary>
static class PyTorchFile
{
    /// <summary>Most bytes of what describes the tensors.</summary>
    internal const int MaxPickle = 64 << 20;

    const int ProtocolVersion = 1001;

    // PyTorch's legacy magic number, 0x1950a86a20f9469cfc6c.
    static readonly BigInteger LegacyMagic = BigInteger.Parse("1950a86a20f9469cfc6c", System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>All tensors of a file, and the archive to keep open for them, if any.</summary>
    /// <param name="file">The file; its tensors can be read as long as it is open.</param>
    /// <exception cref="CheckpointException">The file breaks a rule of the format, or its pickle asks for something that is not allowed.</exception>
    internal static (List<CheckpointTensor> Tensors, IDisposable? Archive) Read(UserFile file)
    {
        try
        {
            if (!file.Beginning().AsSpan().StartsWith("PK\x03\x04"u8))
            {
                return (ReadLegacy(file), null);
            }

            var archive = new PyTorchArchive(file);
            try
            {
                return (Tensors(file.Name, archive.ReadPickle(), archive), archive);
            }
            catch
            {
                archive.Dispose();
                throw;
            }
        }
        catch (UserFileException failure)
        {
            throw CheckpointFiles.Fault(file.Path, failure);
        }
        catch (Exception failure) when (failure is FormatException or InvalidDataException or OverflowException or EndOfStreamException)
        {
            throw new CheckpointException($"{file.Name}: {failure.Message}", failure);
        }
    }

    static List<CheckpointTensor> ReadLegacy(UserFile file)
    {
        if (file.Length == 0)
        {
            throw new FormatException("it is empty; download it again");
        }

        if (file.Beginning() is [not 0x80, ..] start)
        {
            throw new FormatException($"it is neither PyTorch's zip archive nor its legacy format: {FileHint.Of(start)}");
        }

        // The pickles come first, the numbers behind them.
        var storages = new LegacyStorages(file);
        var reader = new PickleReader(file.ReadBytes(0, Math.Min(MaxPickle, file.Length)), Call, storages.Load);
        if (reader.Read() is not BigInteger magic || magic != LegacyMagic)
        {
            throw new FormatException("it does not begin with PyTorch's magic number: it is some other pickle, or broken");
        }

        if (reader.Read() is not (long and ProtocolVersion))
        {
            throw new FormatException($"its protocol version must be {ProtocolVersion}");
        }

        reader.Read();
        object? dictionary = reader.Read();
        storages.Locate(reader.Read(), reader.Position);
        return Tensors(file.Name, dictionary, storages);
    }

    static List<CheckpointTensor> Tensors(string file, object? root, IStorages storages)
    {
        if (root is not PickleDict dictionary)
        {
            throw new FormatException("it must hold a dictionary of tensors (a state_dict)");
        }

        var tensors = new List<(string Name, PickledTensor Tensor)>();
        var names = new HashSet<string>();
        foreach ((object? key, object? value) in dictionary.Items)
        {
            if (key is not string name || value is not PickledTensor tensor)
            {
                throw new FormatException($"a state_dict maps texts to tensors; given {key ?? "None"}: {value?.GetType().Name ?? "None"}");
            }

            if (!names.Add(name))
            {
                throw new FormatException($"tensor '{name}' is there twice");
            }

            tensors.Add((name, tensor));
        }

        ILookup<PickledStorage, PickledTensor> users = tensors.ToLookup(entry => entry.Tensor.Storage, entry => entry.Tensor);
        return
        [
            .. tensors.Select(entry => new CheckpointTensor(
                entry.Name,
                entry.Tensor.Storage.DType,
                entry.Tensor.Shape,
                storages.BytesOf(entry.Tensor.Storage, [.. users[entry.Tensor.Storage]]),
                entry.Tensor.Offset,
                entry.Tensor.Strides)),
        ];
    }

    /// <summary>The three functions that a state dictionary calls.</summary>
    internal static object? Call(PickleGlobal function, object?[] arguments) => function.Name switch
    {
        "OrderedDict" when arguments is [] => new PickleDict(),
        "OrderedDict" when arguments is [List<object?> pairs] => FromPairs(pairs),
        "_rebuild_parameter" when arguments is [PickledTensor tensor, ..] => tensor,
        "_rebuild_tensor_v2" when arguments is [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..] =>
            Rebuild(storage, offset, Longs(shape), Longs(strides)),
        _ => throw new FormatException($"'{function.Module}.{function.Name}' is called with arguments that it does not take"),
    };

    static PickleDict FromPairs(List<object?> pairs)
    {
        var dictionary = new PickleDict();
        foreach (object? pair in pairs)
        {
            dictionary.Items.Add(pair is object?[] { Length: 2 } items ? (items[0], items[1]) : throw new FormatException("an OrderedDict is made of pairs"));
        }

        return dictionary;
    }

    static PickledTensor Rebuild(PickledStorage storage, long offset, long[] shape, long[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > 8 || offset < 0 || shape.Any(size => size < 0) || strides.Any(stride => stride < 0))
        {
            throw new FormatException($"a tensor's sizes, strides and offset must match and not be negative; given [{string.Join(", ", shape)}], [{string.Join(", ", strides)}], {offset}");
        }

        Int128 count = 1;
        Int128 last = offset;
        for (int i = 0; i < shape.Length; i++)
        {
            count = count > long.MaxValue ? count : count * shape[i];
            last += (Int128)Math.Max(0, shape[i] - 1) * strides[i];
        }

        // A view that repeats values (stride 0) may claim any size over a tiny storage.
        if (count > storage.Count || (count > 0 && last >= storage.Count))
        {
            throw new FormatException(
                $"a tensor must lie inside its storage of {storage.Count} values; given sizes [{string.Join(", ", shape)}], strides [{string.Join(", ", strides)}], offset {offset}");
        }

        return new PickledTensor(storage, offset, shape, strides);
    }

    static long[] Longs(object?[] values) => Array.ConvertAll(values, value => value is long number ? number : throw new FormatException("sizes and strides are whole numbers"));

    /// <summary>What a persistent id names: ('storage', type, key, location, number of values, and in the legacy format a view).</summary>
    internal static PickledStorage Storage(object? id)
    {
        if (id is not object?[] { Length: 5 or 6 } parts || parts is not ["storage", PickleGlobal type, string key, _, long count, ..] || count < 0)
        {
            throw new FormatException("a persistent id must name a storage");
        }

        if (parts.Length == 6 && parts[5] is not null)
        {
            throw new FormatException($"storage '{key}' is a view of another, which only PyTorch before 0.4 wrote: save the checkpoint again");
        }

        ScalarType dtype = type.Name switch
        {
            "FloatStorage" => ScalarType.Float32,
            "DoubleStorage" => ScalarType.Float64,
            "HalfStorage" => ScalarType.Float16,
            "BFloat16Storage" => ScalarType.BFloat16,
            "LongStorage" => ScalarType.Int64,
            "IntStorage" => ScalarType.Int32,
            "ShortStorage" => ScalarType.Int16,
            "CharStorage" => ScalarType.Int8,
            "ByteStorage" => ScalarType.Byte,
            "BoolStorage" => ScalarType.Bool,
            _ => throw new FormatException($"'{type.Module}.{type.Name}' is no storage"),
        };
        return new PickledStorage(key, dtype, count);
    }
}

/// <summary>A storage that a pickle names.</summary>
sealed record PickledStorage(string Key, ScalarType DType, long Count)
{
    internal long Bytes => checked(Count * CheckpointTensor.SizeOf(DType));
}

/// <summary>A tensor over a storage, checked to lie inside it.</summary>
sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides)
{
    internal long Bytes => Shape.Aggregate(1L, (count, size) => count * size) * CheckpointTensor.SizeOf(Storage.DType);

    /// <summary>Whether its values lie one behind the other.</summary>
    internal bool IsContiguous => Strides.SequenceEqual(CheckpointTensor.ContiguousStrides(Shape));
}

/// <summary>Where storages' bytes lie.</summary>
interface IStorages
{
    /// <param name="storage">The storage.</param>
    /// <param name="tensors">All tensors over it.</param>
    IWeightBytes BytesOf(PickledStorage storage, IReadOnlyList<PickledTensor> tensors);
}

/// <summary>Storages behind the pickles of a legacy file: each its number of values in eight bytes, then the values.</summary>
sealed class LegacyStorages(UserFile file) : IStorages
{
    readonly LatestStorage _latest = new();
    readonly Dictionary<string, PickledStorage> _named = [];
    readonly Dictionary<string, long> _starts = [];

    public IWeightBytes BytesOf(PickledStorage storage, IReadOnlyList<PickledTensor> tensors)
    {
        long start = _starts[storage.Key];
        return tensors.All(tensor => tensor.IsContiguous) ? new FileBytes(file, start)
            : storage.Bytes <= Array.MaxLength ? new WholeStorage(_latest, file.Name, storage.Key, () => file.ReadBytes(start, storage.Bytes))
            : throw new FormatException($"storage '{storage.Key}' of views must have at most {Array.MaxLength} bytes; given {storage.Bytes}: save contiguous tensors (tensor.contiguous())");
    }

    internal PickledStorage Load(object? id)
    {
        PickledStorage storage = PyTorchFile.Storage(id);
        return _named.TryGetValue(storage.Key, out PickledStorage? known)
            ? known == storage ? known : throw new FormatException($"storage '{storage.Key}' is named twice, differently")
            : _named[storage.Key] = storage;
    }

    internal void Locate(object? keys, long position)
    {
        if (keys is not List<object?> list || list.Any(key => key is not string))
        {
            throw new FormatException("the list of storages must be a list of texts");
        }

        foreach (string key in list.Cast<string>())
        {
            if (!_named.TryGetValue(key, out PickledStorage? storage))
            {
                throw new FormatException($"storage '{key}' is listed and belongs to no tensor");
            }

            if (position + 8 > file.Length)
            {
                throw new FormatException($"it ends before storage '{key}', after {file.Length} bytes: {IncompleteFile.Cure}");
            }

            long count = BinaryPrimitives.ReadInt64LittleEndian(file.ReadBytes(position, sizeof(long)));
            position += 8;
            if (count != storage.Count)
            {
                throw new FormatException($"storage '{key}' must hold {storage.Count} values; given {count}");
            }

            if (storage.Bytes > file.Length - position)
            {
                throw new FormatException($"storage '{key}' has {storage.Bytes} bytes; given {file.Length - position}, with which the file ends: {IncompleteFile.Cure}");
            }

            _starts[key] = position;
            position += storage.Bytes;
        }

        if (_named.Keys.FirstOrDefault(key => !_starts.ContainsKey(key)) is { } missing)
        {
            throw new FormatException($"storage '{missing}' is missing");
        }
    }
}

/// <summary>Storages as entries of a zip archive.</summary>
sealed class PyTorchArchive : IStorages, IDisposable
{
    const int FreelyInflated = 64 << 20;
    const int MaxUnused = 4;

    readonly ZipArchive _zip;
    readonly string _prefix;
    readonly string _file;
    readonly LatestStorage _latest = new();

    internal PyTorchArchive(UserFile file)
    {
        _file = file.Name;
        try
        {
            _zip = new ZipArchive(file.OpenStream(), ZipArchiveMode.Read);
        }
        catch (InvalidDataException failure)
        {
            // Its directory is its end.
            throw new FormatException($"it begins as a zip archive, and its end is not one's, after {file.Length} bytes: {IncompleteFile.Cure}", failure);
        }

        string? pickle = _zip.Entries.Select(entry => entry.FullName).Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal)).MinBy(name => name.Length);
        if (pickle is null)
        {
            _zip.Dispose();
            throw new FormatException("it is a zip archive without a data.pkl: not PyTorch's, or cut off");
        }

        _prefix = pickle[..^"data.pkl".Length];
    }

    public IWeightBytes BytesOf(PickledStorage storage, IReadOnlyList<PickledTensor> tensors)
    {
        ZipArchiveEntry entry = _zip.GetEntry($"{_prefix}data/{storage.Key}") ?? throw new FormatException($"storage '{storage.Key}' is missing");

        // Told by the archive's directory before anything is inflated.
        if (entry.Length != storage.Bytes || entry.Length > Array.MaxLength)
        {
            throw new FormatException($"storage '{storage.Key}' must have {storage.Bytes} bytes; given {entry.Length}");
        }

        double needed = tensors.Sum(tensor => (double)tensor.Bytes);

        // A storage is inflated as a whole: a small view must not cost what a file of a few kilobytes can claim.
        if (entry.Length > Math.Max(FreelyInflated, MaxUnused * needed))
        {
            throw new FormatException(
                $"storage '{storage.Key}' must have at most {MaxUnused} times the {needed:0} bytes of its tensors; given {entry.Length}: save clones of them (tensor.clone())");
        }

        return new WholeStorage(_latest, _file, storage.Key, () => Read(entry, Array.MaxLength));
    }

    public void Dispose() => _zip.Dispose();

    internal object? ReadPickle()
    {
        if (_zip.GetEntry($"{_prefix}byteorder") is { } order && System.Text.Encoding.ASCII.GetString(Read(order, 16)).Trim() != "little")
        {
            throw new FormatException("its byte order must be little-endian");
        }

        return new PickleReader(Read(_zip.GetEntry($"{_prefix}data.pkl")!, PyTorchFile.MaxPickle), PyTorchFile.Call, PyTorchFile.Storage).Read();
    }

    static byte[] Read(ZipArchiveEntry entry, long most)
    {
        if (entry.Length > most)
        {
            throw new FormatException($"{entry.Name} must have at most {most} bytes; given {entry.Length}");
        }

        byte[] bytes = new byte[entry.Length];
        using Stream stream = entry.Open();
        stream.ReadExactly(bytes);
        return bytes;
    }
}
