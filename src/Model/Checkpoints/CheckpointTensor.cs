using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;
using Vector = System.Numerics.Vector;

namespace IgptCluster.Model;

/// <summary>A weight as it lies in its file: read when it is loaded, not before. Valid as long as its <see cref="Checkpoint"/>.</summary>
public sealed class CheckpointTensor
{
    const int Piece = 1 << 24;
    const int NearPiece = 1 << 14; // bytes that stay in the nearest cache between two ways through them

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

    /// <summary>Its name without the <c>transformer.</c> prefix.</summary>
    public string Name { get; internal set; }

    /// <summary>Data type in the file: float16, bfloat16, float32 or float64 for weights.</summary>
    public ScalarType DType { get; }

    /// <summary>Its sizes.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>File it lies in, for messages.</summary>
    internal string File => _bytes.File;

    /// <summary>Whether several threads may read it at once.</summary>
    internal bool IsShared => _bytes.IsShared;

    bool IsContiguous { get; }

    internal long Count => Shape.Aggregate(1L, (count, size) => count * size);

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
        if (to.IsEmpty)
        {
            return;
        }

        if (IsContiguous)
        {
            int size = SizeOf(DType);
            int piece = Piece / size;
            for (int at = 0; at < to.Length; at += piece)
            {
                Span<float> part = to.Slice(at, Math.Min(piece, to.Length - at));
                ReadOnlySpan<byte> bytes = _bytes.Read((_start + start + at) * size, part.Length * size);
                HashOnTheWay((start + at) * size, bytes);
                Widen(bytes, part);
            }
        }
        else
        {
            for (int index = 0; index < to.Length; index++)
            {
                Widen(_bytes.Read(Place(start + index) * SizeOf(DType), SizeOf(DType)), to.Slice(index, 1));
            }
        }

        RequireFinite(to);
    }

    /// <summary>As <see cref="Read"/>, but where the file has them as float32 they are looked at in place.</summary>
    /// <param name="start">Index of the first, row by row.</param>
    /// <param name="room">As many as are wanted; may be written.</param>
    /// <returns>The values, valid as long as the checkpoint.</returns>
    /// <exception cref="CheckpointException">A value is not finite.</exception>
    internal ReadOnlySpan<float> Look(long start, Span<float> room)
    {
        if (!IsContiguous || DType != ScalarType.Float32 || !IsShared)
        {
            Read(start, room);
            return room;
        }

        ReadOnlySpan<byte> bytes = _bytes.Read((_start + start) * sizeof(float), room.Length * sizeof(float));
        for (int at = 0; at < bytes.Length; at += NearPiece)
        {
            ReadOnlySpan<byte> part = bytes.Slice(at, Math.Min(NearPiece, bytes.Length - at));
            HashOnTheWay((start * sizeof(float)) + at, part);
            RequireFinite(MemoryMarshal.Cast<byte, float>(part));
        }

        return MemoryMarshal.Cast<byte, float>(bytes);
    }

    /// <summary>The XXH128 over name, type, shape and values.</summary>
    internal byte[] Hash()
    {
        lock (_hashing)
        {
            if (_hash is null || _hashed < Count * SizeOf(DType))
            {
                _hash = BeginHash();
                ForEachPiece((_, piece) => _hash.Append(piece));
                _hashed = Count * SizeOf(DType);
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
                    to[i] = Brain16.Widen(brain[i]);
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
        byte* start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(target.bytes));
        ForEachPiece((at, piece) => piece.CopyTo(new Span<byte>(start + at, piece.Length)));
    }

    delegate void TakePiece(long at, ReadOnlySpan<byte> piece);

    /// <summary>All values in row-major order, in pieces that fit a span.</summary>
    void ForEachPiece(TakePiece take)
    {
        int size = SizeOf(DType);
        if (Count == 0)
        {
            return;
        }

        if (IsContiguous)
        {
            long length = Count * size;
            for (long at = 0; at < length; at += Piece)
            {
                take(at, _bytes.Read((_start * size) + at, (int)Math.Min(Piece, length - at)));
            }

            return;
        }

        // A view: each row of the last dimension is gathered value by value.
        byte[] row = new byte[checked((int)Shape[^1]) * size];
        long[] index = new long[Shape.Count];
        for (long at = 0; at < Count * size; at += row.Length)
        {
            long from = _start;
            for (int i = 0; i < index.Length - 1; i++)
            {
                from += index[i] * _strides[i];
            }

            for (int i = 0; i < Shape[^1]; i++)
            {
                _bytes.Read((from + (i * _strides[^1])) * size, size).CopyTo(row.AsSpan(i * size));
            }

            take(at, row);
            for (int i = index.Length - 2; i >= 0 && ++index[i] == Shape[i]; i--)
            {
                index[i] = 0;
            }
        }
    }
}
