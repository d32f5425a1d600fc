using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Up to a tile of rows that meet keys or values. Beside panels of bytes each number is of 16 bits, or where only bytes are multiplied two of them, n = (128 · high + low) ·
/// scale, and each row two rows of the product: with one byte small shares of a long row would vanish beside a great one. Belongs to one worker.
/// </summary>
internal sealed unsafe class TileRows : IDisposable
{
    const int Columns = TileKernel.Columns;
    const int Half = Columns / 2;
    const int LowBits = 7;
    const int Most = sbyte.MaxValue << LowBits;

    readonly AlignedMemory _numbers;
    readonly AlignedMemory _products;
    readonly float[] _scales = new float[TileKernel.MaxRows];
    readonly int[] _sums = new int[TileKernel.MaxRows]; // of bytes
    readonly TileType _type;
    readonly TileType _rowType;
    readonly int _most;
    readonly nint _stride;

    internal TileRows(TileType type, int width)
    {
        (_type, _rowType, _most, _stride) = (type, TileKernel.RowType(type), TileKernel.MostOfRow(width), TileKernel.RowStride(type, width));
        _numbers = new AlignedMemory(TileKernel.MaxRows * _stride);
        _products = new AlignedMemory(TileKernel.MaxRows * Columns * sizeof(int));
    }

    /// <summary>Most rows at once.</summary>
    internal int MaxRows => IsSplit ? TileKernel.MaxRows / 2 : TileKernel.MaxRows;

    bool IsSplit => _rowType == TileType.Int8;

    /// <summary>Takes a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="values">Its numbers, readable up to the next multiple of 16.</param>
    /// <param name="count">How many there are.</param>
    internal void Write(int row, float* values, int count)
    {
        switch (_rowType)
        {
            case TileType.Int8: Split(row, values, count); break;
            case TileType.Int16: Round(row, values, count); break;
            default: RowBuffer.Convert(_rowType, values, count, _numbers.Start + (row * _stride)); break;
        }
    }

    /// <summary>Multiplies the first rows by a panel.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="lanes">Its lanes.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="to">float32 [rows, 32].</param>
    /// <param name="stride">Floats from row to row there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Multiply(byte* panel, int lanes, int count, float* to, int stride)
    {
        switch (_rowType)
        {
            case TileType.Int8: MultiplySplit(panel, lanes, count, to, stride); break;
            case TileType.Int16: MultiplyWhole(panel, lanes, count, to, stride); break;
            default: TileKernel.For(_type, count)(_numbers.Start, _stride, panel, lanes, to, (nint)stride * sizeof(float), null); break;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _numbers.Dispose();
        _products.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void MultiplyWhole(byte* panel, int lanes, int count, float* to, int stride)
    {
        TileKernel.For(_type, count)(_numbers.Start, _stride, panel, lanes, to, (nint)stride * sizeof(float), null);
        for (int row = 0; row < count; row++)
        {
            Vector512<float> scale = Vector512.Create(_scales[row]);
            for (int column = 0; column < Columns; column += Half)
                (Vector512.ConvertToSingle(Vector512.Load((int*)to + column)) * scale).Store(to + column);
            to += stride;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void MultiplySplit(byte* panel, int lanes, int count, float* to, int stride)
    {
        TileKernel.For(_type, 2 * count)(_numbers.Start, _stride, panel, lanes, _products.Floats, Columns * sizeof(int), null);
        int* high = (int*)_products.Start;
        for (int row = 0; row < count; row++)
        {
            (Vector512<float> scale, int at) = (Vector512.Create(_scales[row]), 2 * row);
            (Vector512<float> highZero, Vector512<float> lowZero) = (Vector512.Create((float)(TileKernel.ZeroByte * _sums[at])), Vector512.Create((float)(TileKernel.ZeroByte * _sums[at + 1])));
            for (int column = 0; column < Columns; column += Half)
            {
                Vector512<float> highs = Vector512.ConvertToSingle(Vector512.Load(high + column)) - highZero;
                Vector512<float> lows = Vector512.ConvertToSingle(Vector512.Load(high + Columns + column)) - lowZero;
                (Vector512.FusedMultiplyAdd(highs, Vector512.Create((float)(1 << LowBits)), lows) * scale).Store(to + column);
            }

            high += 2 * Columns;
            to += stride;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Round(int row, float* values, int count)
    {
        float largest = Largest(values, count);
        Vector512<float> factor = Vector512.Create(largest > 0 ? _most / largest : 0);
        short* numbers = (short*)(_numbers.Start + (row * _stride));
        for (int at = 0; at < count; at += Half)
            Float512.ToPairs(Vector512.ConvertToInt32(Vector512.Round(Load(values, at, count) * factor))).Store(numbers + at);
        _scales[row] = largest / _most;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Split(int row, float* values, int count)
    {
        float largest = Largest(values, count);
        Vector512<float> factor = Vector512.Create(largest > 0 ? Most / largest : 0);
        (Vector512<int> highSum, Vector512<int> lowSum) = (Vector512<int>.Zero, Vector512<int>.Zero);
        sbyte* high = (sbyte*)_numbers.Start + (2 * row * _stride);
        for (int at = 0; at < count; at += Half)
        {
            Vector512<int> whole = Vector512.ConvertToInt32(Vector512.Round(Load(values, at, count) * factor));
            Vector512<int> upper = (whole + Vector512.Create(1 << (LowBits - 1))) >> LowBits;
            Vector512<int> lower = whole - (upper << LowBits);
            (highSum, lowSum) = (highSum + upper, lowSum + lower);
            Float512.ToBytes(upper).Store(high + at);
            Float512.ToBytes(lower).Store(high + _stride + at);
        }

        _scales[row] = largest / Most;
        (_sums[2 * row], _sums[(2 * row) + 1]) = (Vector512.Sum(highSum), Vector512.Sum(lowSum));
    }

    // The largest size; not a number if one of them is.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Largest(float* values, int count)
    {
        Vector512<float> highest = Vector512<float>.Zero;
        for (int at = 0; at < count; at += Half)
            highest = Vector512.Max(highest, Vector512.Abs(Load(values, at, count)));
        return Float512.Largest(highest);
    }

    // 16 numbers; those beyond the count are 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Load(float* values, int at, int count)
    {
        Vector512<float> numbers = Vector512.Load(values + at);
        return at + Half <= count ? numbers : numbers & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count - at)).AsSingle();
    }
}
