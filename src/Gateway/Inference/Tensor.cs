using System.Buffers.Binary;
using System.Runtime.InteropServices;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;

namespace IgptCluster.Gateway.Inference;

/// <summary>A tensor of the Open Inference Protocol with its elements as they travel: little-endian; an element of BYTES has its length before it in four bytes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Datatype">Its type.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Raw">Its elements, row by row.</param>
internal sealed record Tensor(string Name, string Datatype, long[] Shape, ReadOnlyMemory<byte> Raw)
{
    /// <summary>The type of files and texts.</summary>
    public const string Bytes = "BYTES";

    static readonly Dictionary<string, int> Sizes = new()
    {
        ["BOOL"] = 1,
        ["UINT8"] = 1,
        ["INT8"] = 1,
        ["UINT16"] = 2,
        ["INT16"] = 2,
        ["UINT32"] = 4,
        ["INT32"] = 4,
        ["UINT64"] = 8,
        ["INT64"] = 8,
        ["FP32"] = 4,
        ["FP64"] = 8,
    };

    /// <summary>Bytes of an element; null for BYTES.</summary>
    public int? ElementSize => SizeOf(Datatype, Name);

    /// <summary>Number of elements by its dimensions.</summary>
    public long Count => Shape.Aggregate(1L, (count, side) => count * side);

    /// <summary>A tensor of numbers.</summary>
    /// <typeparam name="T">The numbers' type.</typeparam>
    /// <param name="name">Its name.</param>
    /// <param name="datatype">Its type, that of <typeparamref name="T"/>.</param>
    /// <param name="values">Its elements.</param>
    /// <param name="shape">Its dimensions.</param>
    public static Tensor Of<T>(string name, string datatype, T[] values, params long[] shape)
        where T : unmanaged => new(name, datatype, shape, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    /// <summary>A tensor of files or texts.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Its elements.</param>
    public static Tensor Of(string name, IReadOnlyList<byte[]> values) => new(name, Bytes, [values.Count], Pack(values));

    /// <summary>Bytes of an element of a type; null for BYTES.</summary>
    /// <param name="datatype">The type.</param>
    /// <param name="name">The tensor's name.</param>
    /// <exception cref="IgptException">InvalidArgument: there is no such type.</exception>
    public static int? SizeOf(string datatype, string name) => datatype == Bytes ? null : Sizes.TryGetValue(datatype, out int size) ? size
        : throw Require.Invalid($"inputs.{name}", $"the datatype must be one of {string.Join(", ", Sizes.Keys)}, {Bytes}; given {Echo.Quoted(datatype)}");

    /// <summary>Elements of BYTES as they travel.</summary>
    /// <param name="values">The elements.</param>
    public static byte[] Pack(IEnumerable<byte[]> values)
    {
        using var raw = new MemoryStream();
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (byte[] value in values)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, value.Length);
            raw.Write(length);
            raw.Write(value);
        }

        return raw.ToArray();
    }

    /// <summary>Holds where dimensions and elements fit each other.</summary>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public Tensor Checked()
    {
        Require.That(Shape.All(side => side is >= 0 and <= int.MaxValue) && Count is >= 0 and <= int.MaxValue, $"inputs.{Name}", $"each dimension, and the number of elements, must be 0 … {int.MaxValue}; given [{string.Join(", ", Shape)}]");
        long given = ElementSize is { } size ? Raw.Length / size : Elements().Count;
        Require.That(given == Count && (ElementSize is not { } exact || Raw.Length == given * exact), $"inputs.{Name}", $"a tensor of [{string.Join(", ", Shape)}] has {Count} elements; given {given}");
        return this;
    }

    /// <summary>The elements of BYTES.</summary>
    /// <exception cref="IgptException">InvalidArgument: they end too early.</exception>
    public List<byte[]> Elements()
    {
        var elements = new List<byte[]>();
        for (ReadOnlySpan<byte> rest = Raw.Span; rest.Length > 0;)
        {
            uint length = rest.Length >= sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(rest) : uint.MaxValue;
            Require.That(length <= (long)rest.Length - sizeof(uint), $"inputs.{Name}", $"each element of BYTES must have its length before it in four bytes, little-endian; element {elements.Count} ends too early");
            elements.Add(rest.Slice(sizeof(uint), (int)length).ToArray());
            rest = rest[(sizeof(uint) + (int)length)..];
        }

        return elements;
    }

    /// <summary>The elements of a type of whole numbers.</summary>
    /// <exception cref="IgptException">InvalidArgument: it is another type.</exception>
    public long[] Integers()
    {
        ReadOnlySpan<byte> raw = Raw.Span;
        return Datatype switch
        {
            "UINT8" => [.. raw.ToArray().Select(value => (long)value)],
            "INT16" => Widen(MemoryMarshal.Cast<byte, short>(raw)),
            "UINT16" => Widen(MemoryMarshal.Cast<byte, ushort>(raw)),
            "INT32" => Widen(MemoryMarshal.Cast<byte, int>(raw)),
            "UINT32" => Widen(MemoryMarshal.Cast<byte, uint>(raw)),
            "INT64" => MemoryMarshal.Cast<byte, long>(raw).ToArray(),
            _ => throw Require.Invalid($"inputs.{Name}", $"the datatype must be one of whole numbers, such as INT32; given {Datatype}"),
        };
    }

    static long[] Widen<T>(ReadOnlySpan<T> values)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        long[] wide = new long[values.Length];
        for (int i = 0; i < wide.Length; i++)
        {
            wide[i] = long.CreateChecked(values[i]);
        }

        return wide;
    }
}
