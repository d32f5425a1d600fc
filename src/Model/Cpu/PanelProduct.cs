using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>What becomes of a tile's numbers, 32 columns of some rows, while they are in the nearest cache.</summary>
internal unsafe interface ITileEpilogue
{
    /// <summary>Takes one row of the tile, bias added.</summary>
    /// <param name="row">Row of the product.</param>
    /// <param name="column">Its first column, a multiple of 32.</param>
    /// <param name="lower">Columns 0 … 15.</param>
    /// <param name="upper">Columns 16 … 31.</param>
    void Take(int row, int column, Vector512<float> lower, Vector512<float> upper);
}

/// <summary>Rows by a <see cref="PanelMatrix"/>.</summary>
internal static unsafe class PanelProduct
{
    const int RowsThatWait = 4; // fewer only read, and the processor's own prefetching does that best
    const int Half = TileKernel.Columns / 2;

    /// <summary>Multiplies all rows by one panel and hands the sums with their bias on.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="panel">Which panel.</param>
    /// <param name="rows">The rows, of the same type.</param>
    /// <param name="count">How many of them.</param>
    /// <param name="end">Takes the sums.</param>
    /// <typeparam name="TEnd">A struct, so that its code becomes part of this one.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Run<TEnd>(PanelMatrix matrix, int panel, RowBuffer rows, int count, TEnd end)
        where TEnd : struct, ITileEpilogue
    {
        float* sums = stackalloc float[TileKernel.MaxRows * TileKernel.Columns];
        int column = panel * TileKernel.Columns;
        int tiles = (count + TileKernel.MaxRows - 1) / TileKernel.MaxRows;
        TileFetch fetch = count >= RowsThatWait ? TileKernel.FetchBeside(tiles) : TileFetch.Nothing;
        byte* next = matrix.Panel(panel + 1);
        for (int tile = 0; tile < tiles; tile++)
        {
            // As even as can be: a last tile of one row would leave most sums unused.
            (int first, int after) = ((int)((long)count * tile / tiles), (int)((long)count * (tile + 1) / tiles));
            TileKernel.For(matrix.Type, after - first, fetch)(rows.Row(first), rows.Stride, matrix.Panel(panel), matrix.Lanes, sums, TileKernel.Columns * sizeof(float), next);
            next += TileKernel.BytesOf(fetch, matrix.Lanes);
            for (int row = first; row < after; row++)
            {
                float* at = sums + ((row - first) * TileKernel.Columns);
                (Vector512<float> lower, Vector512<float> upper) = matrix.Type == TileType.Int8
                    ? (Scaled(at, matrix.Scales + column, rows, row), Scaled(at + Half, matrix.Scales + column + Half, rows, row))
                    : (Vector512.Load(at), Vector512.Load(at + Half));
                end.Take(row, column, lower + Vector512.Load(matrix.Bias + column), upper + Vector512.Load(matrix.Bias + column + Half));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Scaled(float* sums, float* scales, RowBuffer rows, int row) =>
        Vector512.ConvertToSingle(Vector512.Load((int*)sums) - Vector512.Create(TileKernel.ZeroByte * rows.Sum(row))) * (Vector512.Load(scales) * rows.Scale(row));
}
