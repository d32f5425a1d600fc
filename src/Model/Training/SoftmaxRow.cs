using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Training;

/// <summary>
/// Softmax of one row of bfloat16 numbers in place, and its derivative, computed in float32, 32 numbers at a time. Any thread.
/// </summary>
/// <remarks>
/// Not TensorPrimitives of System.Numerics.Tensors: its exponential of float32 goes through float64, which took most of the time.
/// </remarks>
internal static class SoftmaxRow
{
    const int Step = 32;

    /// <summary>The first so many numbers, scaled, become their softmax, the others 0.</summary>
    /// <param name="row">The row.</param>
    /// <param name="count">How many numbers take part, at least 1.</param>
    /// <param name="scale">What they are multiplied with first, positive.</param>
    /// <param name="wide">Room to work in, at least <paramref name="count"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Forward(Span<ushort> row, int count, float scale, Span<float> wide)
    {
        int whole = count - (count % Step);
        Vector512<float> highest = Vector512.Create(float.MinValue);
        for (int at = 0; at < whole; at += Step)
        {
            (Vector512<float> lower, Vector512<float> upper) = BFloat16.Widen(row, at);
            lower.CopyTo(wide[at..]);
            upper.CopyTo(wide[(at + (Step / 2))..]);
            highest = Float512.Larger(highest, Float512.Larger(lower, upper));
        }

        float max = float.MinValue;
        for (int lane = 0; lane < Vector512<float>.Count; lane++)
            max = Math.Max(max, highest[lane]);
        for (int at = whole; at < count; at++)
            max = Math.Max(max, wide[at] = BFloat16.Widen(row[at]));

        float factor = scale * MathF.Log2(MathF.E);
        Vector512<float> factors = Vector512.Create(factor);
        Vector512<float> offsets = Vector512.Create(-max * factor);
        Vector512<float> sums = Vector512<float>.Zero;
        for (int at = 0; at < whole; at += Step / 2)
        {
            Vector512<float> power = Float512.Exp2(Vector512.FusedMultiplyAdd(Vector512.Create<float>(wide[at..]), factors, offsets));
            power.CopyTo(wide[at..]);
            sums += power;
        }

        float sum = Vector512.Sum(sums);
        for (int at = whole; at < count; at++)
            sum += wide[at] = float.Exp2((wide[at] - max) * factor);

        float share = 1 / sum;
        for (int at = 0; at < whole; at += Step)
            BFloat16.Narrow(Vector512.Create<float>(wide[at..]) * share, Vector512.Create<float>(wide[(at + (Step / 2))..]) * share, row, at);
        for (int at = whole; at < count; at++)
            row[at] = BFloat16.Narrow(wide[at] * share);
        row[count..].Clear();
    }

    /// <summary>Gradients of shares become those of the numbers before scaling: share · (gradient − Σ share · gradient) · scale.</summary>
    /// <param name="gradient">The gradients.</param>
    /// <param name="share">What <see cref="Forward"/> gave, as many.</param>
    /// <param name="scale">As there.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Backward(Span<ushort> gradient, ReadOnlySpan<ushort> share, float scale)
    {
        int whole = gradient.Length - (gradient.Length % Step);
        Vector512<float> dots = Vector512<float>.Zero;
        for (int at = 0; at < whole; at += Step)
        {
            (Vector512<float> lower, Vector512<float> upper) = BFloat16.Widen(gradient, at);
            (Vector512<float> shareLower, Vector512<float> shareUpper) = BFloat16.Widen(share, at);
            dots = Vector512.FusedMultiplyAdd(upper, shareUpper, Vector512.FusedMultiplyAdd(lower, shareLower, dots));
        }

        float dot = Vector512.Sum(dots);
        for (int at = whole; at < gradient.Length; at++)
            dot += BFloat16.Widen(gradient[at]) * BFloat16.Widen(share[at]);

        Vector512<float> mean = Vector512.Create(dot);
        for (int at = 0; at < whole; at += Step)
        {
            (Vector512<float> lower, Vector512<float> upper) = BFloat16.Widen(gradient, at);
            (Vector512<float> shareLower, Vector512<float> shareUpper) = BFloat16.Widen(share, at);
            BFloat16.Narrow((lower - mean) * shareLower * scale, (upper - mean) * shareUpper * scale, gradient, at);
        }

        for (int at = whole; at < gradient.Length; at++)
            gradient[at] = BFloat16.Narrow((BFloat16.Widen(gradient[at]) - dot) * BFloat16.Widen(share[at]) * scale);
    }
}
