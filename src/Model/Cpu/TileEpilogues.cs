using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using IgptCluster.Model.Training;

namespace IgptCluster.Model.Cpu;

/// <summary>Keeps a product.</summary>
internal readonly unsafe struct StoreEpilogue(float* to, int stride) : ITileEpilogue
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int row, int column, Vector512<float> lower, Vector512<float> upper)
    {
        float* at = to + ((long)row * stride) + column;
        lower.Store(at);
        upper.Store(at + Vector512<float>.Count);
    }
}

/// <summary>Adds a product to what is there: the residual stream.</summary>
internal readonly unsafe struct AddEpilogue(float* to, int stride) : ITileEpilogue
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int row, int column, Vector512<float> lower, Vector512<float> upper)
    {
        float* at = to + ((long)row * stride) + column;
        (Vector512.Load(at) + lower).Store(at);
        (Vector512.Load(at + Vector512<float>.Count) + upper).Store(at + Vector512<float>.Count);
    }
}

/// <summary>x · σ(1.702 x), kept in float32 or as rows of the next product.</summary>
internal readonly unsafe struct QuickGeluEpilogue(TileType type, byte* to, nint stride) : ITileEpilogue
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int row, int column, Vector512<float> lower, Vector512<float> upper)
    {
        lower *= Float512.Sigmoid(lower * QuickGelu.Factor);
        upper *= Float512.Sigmoid(upper * QuickGelu.Factor);
        byte* at = to + (row * stride);
        if (type == TileType.BFloat16)
        {
            BFloat16.Narrow(lower, upper, new Span<ushort>(at, column + TileKernel.Columns), column);
        }
        else
        {
            lower.Store((float*)at + column);
            upper.Store((float*)at + column + Vector512<float>.Count);
        }
    }
}
