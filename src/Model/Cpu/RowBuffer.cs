using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// The left side of products: some rows of numbers in the type that the panels they meet ask for, rounded on the way in. Whole numbers have a scale of their own for every
/// row, so that a row does not depend on others. Different rows may be written by different threads.
/// </summary>
internal sealed unsafe class RowBuffer : IDisposable
{
    readonly AlignedMemory _numbers;
    readonly AlignedMemory _scales;
    readonly AlignedMemory _sums;

    /// <summary>Allocates.</summary>
    /// <param name="type">Type of the panels.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="width">Numbers of a row.</param>
    internal RowBuffer(TileType type, int rows, int width)
    {
        (Type, Width, Stride) = (TileKernel.RowType(type), width, TileKernel.RowStride(type, width));
        _numbers = new AlignedMemory((long)rows * Stride);
        _scales = new AlignedMemory(HasScales ? rows * sizeof(float) : 0);
        _sums = new AlignedMemory(HasScales ? rows * sizeof(int) : 0);
    }

    /// <summary>Type of its numbers.</summary>
    internal TileType Type { get; }

    internal int Width { get; }

    bool HasScales => Type is TileType.Int8 or TileType.Int16;

    /// <summary>Bytes from row to row.</summary>
    internal int Stride { get; }

    internal byte* Row(int row) => _numbers.Start + ((long)row * Stride);

    /// <summary>What 1 counts in a row of whole numbers.</summary>
    internal float Scale(int row) => _scales.Floats[row];

    /// <summary>Sum of a row's whole numbers.</summary>
    internal int Sum(int row) => ((int*)_sums.Start)[row];

    /// <summary>Rounds a whole row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="values">Its numbers, readable up to the next multiple of 32.</param>
    internal void Write(int row, float* values)
    {
        if (HasScales)
            WriteWhole(row, values);
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
            BFloat16.Narrow(Vector512.Load(from + at), Vector512.Load(from + at + Vector512<float>.Count), target, at);
        for (int at = whole; at < count; at++)
            target[at] = BFloat16.Narrow(from[at]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void WriteWhole(int row, float* values)
    {
        int step = Vector512<float>.Count;
        Vector512<float> highest = Vector512<float>.Zero;
        for (int at = 0; at < Width; at += step)
            highest = Float512.Larger(Vector512.Abs(Load(values, at)), highest);
        float largest = Float512.Largest(highest);
        int most = TileKernel.MostOfRow(Width);
        float factor = largest == 0 ? 0 : most / largest;
        Vector512<int> sums = Vector512<int>.Zero;
        byte* target = Row(row);
        for (int at = 0; at < Width; at += step)
        {
            Vector512<int> rounded = Vector512.ConvertToInt32(Vector512.Round(Load(values, at) * factor));
            sums += rounded;
            if (Type == TileType.Int16)
                Float512.ToPairs(rounded).Store((short*)target + at);
            else
                Float512.ToBytes(rounded).Store((sbyte*)target + at);
        }

        _scales.Floats[row] = largest / most;
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
