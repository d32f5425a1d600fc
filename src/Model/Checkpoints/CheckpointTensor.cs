using System.Buffers;
using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;
using Vector = System.Numerics.Vector;

namespace IgptCluster.Model.Checkpoints;

/// <summary>A weight as it lies in its file: read when it is loaded, not before. Valid as long as its <see cref="Checkpoint"/>.</summary>
public sealed class CheckpointTensor
{
    const int Piece = 1 << 17; // bytes that stay in the near caches from being read until they are hashed, checked and used
    const int LargePiece = 1 << 30;

    readonly IWeightBytes _bytes;
    readonly long _start;
    readonly long[] _strides;
    readonly Lock _hashing = new();
    XxHash128? _hash; // of the bytes so far, if the weight is read from its beginning on
    long _hashed;

    internal CheckpointTensor(string name, ScalarType dtype, long[] shape, IWeightBytes bytes, long start = 0, long[]? strides = null)
    {
        (Name, DType, Shape, _bytes, _start) = (name, dtype, shape, bytes, start);
        _strides = strides ?? ContiguousStrides(shape);
        IsContiguous = _strides.SequenceEqual(ContiguousStrides(shape));
    }

    /// <summary>A tensor of a type that is not read: it can be listed, and nothing else.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Its type as the file calls it.</param>
    /// <param name="shape">Its sizes.</param>
    /// <param name="file">Name of the file.</param>
    internal static CheckpointTensor Unread(string name, string type, long[] shape, string file) => new(name, ScalarType.Byte, shape, new NoBytes(file)) { UnreadType = type };

    /// <summary>Its name without the <c>transformer.</c> prefix.</summary>
    public string Name { get; internal set; }

    /// <summary>Data type in the file: float16, bfloat16, float32 or float64 for weights.</summary>
    public ScalarType DType { get; }

    /// <summary>Its sizes.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>What the file calls its type if that is one that is not read.</summary>
    internal string? UnreadType { get; private init; }

    /// <summary>File it lies in, for messages.</summary>
    internal string File => _bytes.File;

    /// <summary>Whether several threads may read it at once.</summary>
    internal bool IsShared => _bytes.IsShared;

    bool IsContiguous { get; }

    internal long Count => Shape.Aggregate(1L, (count, size) => count * size);

    long Bytes => Count * SizeOf(DType);

    /// <summary>Bytes of one value.</summary>
    internal static int SizeOf(ScalarType dtype) => dtype switch
    {
        ScalarType.Float64 or ScalarType.Int64 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Int16 => 2,
        _ => 1,
    };

    internal static long[] ContiguousStrides(IReadOnlyList<long> shape)
    {
        long[] strides = new long[shape.Count];
        long stride = 1;
        for (int i = shape.Count - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }

        return strides;
    }

    /// <summary>Reads the weight.</summary>
    /// <param name="dtype">Data type wanted.</param>
    /// <returns>A contiguous CPU tensor [<see cref="Shape"/>] that the caller owns.</returns>
    /// <exception cref="CheckpointException">A value is not finite.</exception>
    public Tensor Load(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        Tensor stored = empty([.. Shape], DType);
        CopyTo(stored);
        if (!stored.isfinite().all().item<bool>())
        {
            throw NotFinite();
        }

        return stored.to_type(dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Reads some values as float32.</summary>
    /// <param name="start">Index of the first, row by row.</param>
    /// <param name="to">As many as are wanted.</param>
    /// <exception cref="CheckpointException">A value is not finite.</exception>
    internal void Read(long start, Span<float> to)
    {
        int piece = Piece / SizeOf(DType);
        byte[] buffer = DType == ScalarType.Float32 ? [] : ArrayPool<byte>.Shared.Rent(Piece);
        for (int at = 0; at < to.Length; at += piece)
        {
            ReadPiece(start + at, to.Slice(at, Math.Min(piece, to.Length - at)), buffer);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    void ReadPiece(long start, Span<float> to, Span<byte> buffer)
    {
        int size = SizeOf(DType);
        Span<byte> bytes = DType == ScalarType.Float32 ? MemoryMarshal.AsBytes(to) : buffer[..(to.Length * size)];
        ReadBytes(start * size, bytes);
        HashOnTheWay(start * size, bytes);
        if (DType != ScalarType.Float32)
        {
            Widen(bytes, to);
        }

        RequireFinite(to);
    }

    /// <summary>The XXH128 over name, type, shape and values.</summary>
    internal byte[] Hash()
    {
        lock (_hashing)
        {
            if (_hash is null || _hashed < Bytes)
            {
                _hash = BeginHash();
                byte[] buffer = new byte[Math.Min(Piece, Bytes)];
                for (_hashed = 0; _hashed < Bytes; _hashed += buffer.Length)
                {
                    Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, Bytes - _hashed));
                    ReadBytes(_hashed, piece);
                    _hash.Append(piece);
                }
            }

            return _hash.GetCurrentHash();
        }
    }

    XxHash128 BeginHash()
    {
        var hash = new XxHash128();
        hash.Append(System.Text.Encoding.UTF8.GetBytes($"{Name} {DType} {string.Join('x', Shape)}\n"));
        return hash;
    }

    // What is read in order for another purpose is hashed while it is in the nearest caches.
    void HashOnTheWay(long start, ReadOnlySpan<byte> bytes)
    {
        lock (_hashing)
        {
            if (start != _hashed)
            {
                return;
            }

            _hash ??= BeginHash();
            _hash.Append(bytes);
            _hashed += bytes.Length;
        }
    }

    void RequireFinite(ReadOnlySpan<float> values)
    {
        if (!AreFinite(values))
        {
            throw NotFinite();
        }
    }

    // Without their signs, as whole numbers, those that are finite are the smaller ones. TensorPrimitives.IsFiniteAll takes twice as long.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static bool AreFinite(ReadOnlySpan<float> values)
    {
        const int infinity = 0x7F800000;
        ReadOnlySpan<Vector<int>> vectors = MemoryMarshal.Cast<float, Vector<int>>(values);
        var magnitude = new Vector<int>(int.MaxValue);
        (Vector<int> even, Vector<int> odd) = (Vector<int>.Zero, Vector<int>.Zero);
        int at = 0;
        for (; at < vectors.Length - 1; at += 2)
        {
            even = Vector.Max(even, vectors[at] & magnitude);
            odd = Vector.Max(odd, vectors[at + 1] & magnitude);
        }

        bool rest = true;
        foreach (float value in values[(at * Vector<int>.Count)..])
        {
            rest &= float.IsFinite(value);
        }

        return rest && Vector.LessThanAll(Vector.Max(even, odd), new Vector<int>(infinity));
    }

    void Widen(ReadOnlySpan<byte> from, Span<float> to)
    {
        switch (DType)
        {
            case ScalarType.Float32:
                from.CopyTo(MemoryMarshal.AsBytes(to));
                break;
            case ScalarType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(from), to);
                break;
            case ScalarType.BFloat16:
                ReadOnlySpan<ushort> brain = MemoryMarshal.Cast<byte, ushort>(from);
                for (int i = 0; i < to.Length; i++)
                {
                    to[i] = BFloat16.Widen(brain[i]);
                }

                break;
            default:
                TensorPrimitives.ConvertSaturating(MemoryMarshal.Cast<byte, double>(from), to);
                break;
        }
    }

    // Index in the storage of a value of a view.
    long Place(long index)
    {
        long place = _start;
        for (int dimension = Shape.Count - 1; dimension >= 0; dimension--)
        {
            place += index % Shape[dimension] * _strides[dimension];
            index /= Shape[dimension];
        }

        return place;
    }

    CheckpointException NotFinite() => new($"{File}: {Name}: all weights must be finite; it has a NaN or an infinity");

    unsafe void CopyTo(Tensor target)
    {
        // A span may be too short for all of it.
        byte* start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(target.bytes));
        for (long at = 0; at < Bytes; at += LargePiece)
        {
            ReadBytes(at, new Span<byte>(start + at, (int)Math.Min(LargePiece, Bytes - at)));
        }
    }

    /// <summary>Values in row-major order as they are stored.</summary>
    /// <param name="at">Offset of the first in bytes.</param>
    /// <param name="to">As many as are wanted.</param>
    void ReadBytes(long at, Span<byte> to)
    {
        int size = SizeOf(DType);
        if (IsContiguous)
        {
            _bytes.Read((_start * size) + at, to);
            return;
        }

        for (int value = 0; value < to.Length; value += size)
        {
            _bytes.Read(Place((at + value) / size) * size, to.Slice(value, size));
        }
    }

    /// <summary>Where what is not read lies.</summary>
    sealed class NoBytes(string file) : IWeightBytes
    {
        public string File => file;

        public bool IsShared => true;

        public void Read(long start, Span<byte> to) => throw new NotSupportedException();
    }
}
