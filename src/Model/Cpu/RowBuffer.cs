using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model;

/// <summary>
/// The left side of products: some rows of numbers in the type of the panels they meet, rounded on the way in. Bytes have a scale of their own for every
/// row, so that a row does not depend on others. Different rows may be written by different threads.
/// </summary>
internal sealed unsafe class RowBuffer : IDisposable
{
    readonly AlignedMemory _numbers;
    readonly AlignedMemory _scales;
    readonly AlignedMemory _sums;

    internal RowBuffer(TileType type, int rows, int width)
    {
        (Type, Width) = (type, width);
        Lanes = TileKernel.Lanes(type, width);
        int padded = (width + TileKernel.Columns - 1) / TileKernel.Columns * TileKernel.Columns; // panels write whole rows of 32
        Stride = Math.Max(Lanes, padded / TileKernel.PerLane(type)) * sizeof(float);
        _numbers = new AlignedMemory((long)rows * Stride);
        _scales = new AlignedMemory(type == TileType.Int8 ? rows * sizeof(float) : 0);
        _sums = new AlignedMemory(type == TileType.Int8 ? rows * sizeof(int) : 0);
    }

    internal TileType Type { get; }

    internal int Width { get; }

    internal int Lanes { get; }

    /// <summary>Bytes from row to row.</summary>
    internal int Stride { get; }

    internal byte* Row(int row) => _numbers.Start + ((long)row * Stride);

    /// <summary>What a byte of a row counts.</summary>
    internal float Scale(int row) => _scales.Floats[row];

    /// <summary>Sum of a row's bytes.</summary>
    internal int Sum(int row) => ((int*)_sums.Start)[row];

    /// <summary>Rounds a whole row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="values">Its numbers, readable up to the next multiple of 32.</param>
    internal void Write(int row, float* values)
    {
        if (Type == TileType.Int8)
            WriteBytes(row, values);
        else
            Convert(Type, values, Width, Row(row));
    }

    /// <summary>Rounds numbers to float32 or bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Convert(TileType type, float* from, int count, byte* to)
    {
        if (type != TileType.BFloat16)
        {
            Buffer.MemoryCopy(from, to, count * sizeof(float), count * sizeof(float));
            return;
        }

        var target = new Span<ushort>(to, count);
        int whole = count - (count % TileKernel.Columns);
        for (int at = 0; at < whole; at += TileKernel.Columns)
            Brain16.Narrow(Vector512.Load(from + at), Vector512.Load(from + at + Vector512<float>.Count), target, at);
        for (int at = whole; at < count; at++)
            target[at] = Brain16.Narrow(from[at]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void WriteBytes(int row, float* values)
    {
        int step = Vector512<float>.Count;
        Vector512<float> highest = Vector512<float>.Zero;
        for (int at = 0; at < Width; at += step)
            highest = Float512.Larger(Vector512.Abs(Load(values, at)), highest);
        float largest = Float512.Largest(highest);
        float factor = largest == 0 ? 0 : sbyte.MaxValue / largest;
        Vector512<int> sums = Vector512<int>.Zero;
        sbyte* target = (sbyte*)Row(row);
        for (int at = 0; at < Width; at += step)
        {
            Vector512<int> rounded = Vector512.ConvertToInt32(Vector512.Round(Load(values, at) * factor));
            sums += rounded;
            Float512.ToBytes(rounded).Store(target + at);
        }

        _scales.Floats[row] = largest / sbyte.MaxValue;
        ((int*)_sums.Start)[row] = Vector512.Sum(sums);
    }

    // 16 numbers of a row; those beyond its end are 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    Vector512<float> Load(float* values, int at)
    {
        Vector512<float> numbers = Vector512.Load(values + at);
        return at + Vector512<float>.Count <= Width ? numbers : numbers & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(Width - at)).AsSingle();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _numbers.Dispose();
        _scales.Dispose();
        _sums.Dispose();
    }
}
