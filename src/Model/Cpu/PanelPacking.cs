using System.Buffers;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using IgptCluster.Model.Checkpoints;
using Vector = System.Numerics.Vector;

namespace IgptCluster.Model.Cpu;

/// <summary>Brings a stored matrix into panels, some rows at a time through the nearest caches. One thread.</summary>
/// <param name="matrix">Where to.</param>
/// <param name="source">Where from.</param>
/// <param name="name">The weight.</param>
internal readonly unsafe struct PanelPacking(PanelMatrix matrix, IWeightSource source, string name)
{
    const int Columns = TileKernel.Columns;
    const int VectorWidth = 16; // numbers of a vector
    const int RowsAtOnce = 32; // inputs; full lanes of every type
    const int MostKept = 1 << 22; // numbers: 16 MB of each thread, which the last cache holds

    readonly int _paddedInputs = matrix.Lanes * TileKernel.PerLane(matrix.Type);

    /// <summary>Packs a matrix whose rows belong to inputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // run once, and long
    internal void PackRows()
    {
        int width = matrix.PaddedOutputs;
        int blockSize = RowsAtOnce * width;
        int blocks = (_paddedInputs + RowsAtOnce - 1) / RowsAtOnce;

        // The scales of bytes are known when all of it has been read: it is kept until then, or if it is large read again.
        bool isKept = matrix.Type == TileType.Int8 && (long)blocks * blockSize <= MostKept;
        float[] rows = ArrayPool<float>.Shared.Rent(isKept ? blocks * blockSize : blockSize);
        if (matrix.Type == TileType.Int8)
        {
            FindScales(rows, isKept);
        }

        for (int block = 0; block < blocks; block++)
        {
            int first = block * RowsAtOnce;
            Span<float> read = rows.AsSpan(isKept ? block * blockSize : 0, blockSize);
            if (!isKept)
            {
                Read(first, read);
            }

            for (int panel = 0; panel < matrix.PanelCount; panel++)
            {
                Pack(panel, first, Math.Min(RowsAtOnce, _paddedInputs - first), read[(panel * Columns)..], width);
            }
        }

        ArrayPool<float>.Shared.Return(rows);
    }

    /// <summary>Packs a matrix whose rows belong to outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // run once, and long
    internal void PackColumns()
    {
        int inputs = matrix.Inputs;
        float[] row = new float[inputs];
        float[] columns = new float[_paddedInputs * Columns];
        for (int panel = 0; panel < matrix.PanelCount; panel++)
        {
            Array.Clear(columns);
            for (int column = 0; column < Math.Min(Columns, matrix.Outputs - (panel * Columns)); column++)
            {
                int output = (panel * Columns) + column;
                source.Read(name, (long)output * inputs, row);
                for (int input = 0; input < inputs; input++)
                {
                    columns[(input * Columns) + column] = row[input];
                }

                if (matrix.Type == TileType.Int8)
                {
                    matrix.Scales[output] = Math.Abs(TensorPrimitives.MaxMagnitude<float>(row)) / sbyte.MaxValue;
                }
            }

            Pack(panel, 0, _paddedInputs, columns, Columns);
        }
    }

    // Some rows, as many as are there, and zeros behind them; all at once if nothing is padded.
    void Read(int first, Span<float> rows)
    {
        (int outputs, int width) = (matrix.Outputs, matrix.PaddedOutputs);
        int count = Math.Clamp(matrix.Inputs - first, 0, RowsAtOnce);
        if (outputs == width)
        {
            source.Read(name, (long)first * outputs, rows[..(count * width)]);
        }
        else
        {
            rows.Clear();
            for (int row = 0; row < count; row++)
            {
                source.Read(name, (long)(first + row) * outputs, rows.Slice(row * width, outputs));
            }
        }

        rows[(count * width)..].Clear();
    }

    // The largest number of each output becomes 127. Without their signs finite numbers are in the order of the whole numbers that have their bits.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // run once, and long
    void FindScales(float[] rows, bool isKept)
    {
        int width = matrix.PaddedOutputs;
        int blockSize = RowsAtOnce * width;
        var scales = new Span<float>(matrix.Scales, width);
        Span<Vector<int>> largest = MemoryMarshal.Cast<float, Vector<int>>(scales);
        var magnitude = new Vector<int>(int.MaxValue);
        for (int first = 0; first < _paddedInputs; first += RowsAtOnce)
        {
            Span<float> read = rows.AsSpan(isKept ? first * width : 0, blockSize);
            Read(first, read);
            for (int row = 0; row < RowsAtOnce; row++)
            {
                ReadOnlySpan<Vector<int>> numbers = MemoryMarshal.Cast<float, Vector<int>>(read.Slice(row * width, width));
                for (int at = 0; at < largest.Length; at++)
                {
                    largest[at] = Vector.Max(largest[at], numbers[at] & magnitude);
                }
            }
        }

        TensorPrimitives.Divide(scales, sbyte.MaxValue, scales);
    }

    /// <summary>Packs some inputs of a panel.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="first">First input, at a lane's beginning.</param>
    /// <param name="count">Inputs, full lanes.</param>
    /// <param name="rows">Their weights: 32 of each.</param>
    /// <param name="stride">Floats from input to input.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // run once, and long
    void Pack(int panel, int first, int count, ReadOnlySpan<float> rows, int stride)
    {
        int perLane = TileKernel.PerLane(matrix.Type);
        uint* to = (uint*)matrix.Panel(panel) + ((long)first / perLane * Columns);
        fixed (float* from = rows)
        {
            for (int lane = 0; lane < count / perLane; lane++)
            {
                for (int half = 0; half < Columns; half += VectorWidth)
                {
                    float* at = from + ((long)lane * perLane * stride) + half;
                    Lane(at, stride, panel, half).Store(to + (lane * Columns) + half);
                }
            }
        }
    }

    // A lane of 16 columns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    Vector512<uint> Lane(float* at, int stride, int panel, int half)
    {
        switch (matrix.Type)
        {
            case TileType.Float32:
                return Vector512.Load(at).AsUInt32();
            case TileType.BFloat16:
                return BFloat16.Narrow(Vector512.Load(at)) | (BFloat16.Narrow(Vector512.Load(at + stride)) << 16);
            default:
                Vector512<float> scale = Vector512.Load(matrix.Scales + (panel * Columns) + half);
                return Byte(at, scale) | (Byte(at + stride, scale) << 8) | (Byte(at + (2 * stride), scale) << 16) | (Byte(at + (3 * stride), scale) << 24);
        }
    }

    // A scale of 0 has zeros only: what is not a number becomes the least whole one, whose last byte is 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> Byte(float* at, Vector512<float> scale) =>
        (Vector512.ConvertToInt32Native(Vector512.Round(Vector512.Load(at) / scale)) + Vector512.Create(TileKernel.ZeroByte)).AsUInt32() & Vector512.Create((uint)byte.MaxValue);
}
