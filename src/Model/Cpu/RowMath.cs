using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>What is done to single rows of float32, all padded with zeros to a multiple of 32.</summary>
internal static unsafe class RowMath
{
    /// <summary>x / √(mean(x²) + ε) · gain: no centring, no bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Norm(float* x, float* gain, float* to, int width, float epsilon)
    {
        Vector512<float> squares = Vector512<float>.Zero;
        for (int at = 0; at < width; at += Vector512<float>.Count)
            squares = Vector512.FusedMultiplyAdd(Vector512.Load(x + at), Vector512.Load(x + at), squares);
        Vector512<float> factor = Vector512.Create(1 / MathF.Sqrt((Vector512.Sum(squares) / width) + epsilon));
        for (int at = 0; at < width; at += Vector512<float>.Count)
            (Vector512.Load(x + at) * factor * Vector512.Load(gain + at)).Store(to + at);
    }

    /// <summary>The natural logarithm of Σ e^x.</summary>
    internal static double LogSumExp(ReadOnlySpan<float> x)
    {
        double highest = double.NegativeInfinity;
        foreach (float value in x)
            highest = Math.Max(highest, value);
        double sum = 0;
        foreach (float value in x)
            sum += Math.Exp(value - highest);
        return highest + Math.Log(sum);
    }
}
