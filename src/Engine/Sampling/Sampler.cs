using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace IgptCluster.Engine.Sampling;

/// <summary>
/// Draws a colour from logits in Hugging Face's order: temperature, top-k, top-p, softmax; then one uniform number picks. Weights are whole numbers
/// (<see cref="ColourWeight"/>), so a draw is the same on every processor and device. One engine's thread only: it keeps its buffers.
/// </summary>
/// <param name="colours">Number of colours; logits behind them (the start token's, where embeddings are tied) are never drawn.</param>
public sealed class Sampler(int colours)
{
    const int PickBlock = 32; // weights that are looked at together first
    const int Padding = 4; // doubles of a vector

    readonly ColourOrder _order = new(colours);

    readonly int[] _all = [.. Enumerable.Range(0, colours)];
    readonly int[] _top = new int[colours];
    readonly float[] _divided = new float[colours];
    readonly double[] _depths = new double[colours + Padding];
    readonly ulong[] _weights = new ulong[colours + Padding];
    readonly double[] _probabilities = new double[colours];

    // Colours that top-k leaves, ascending, and how many they are; the buffers before have their values in the same places.
    int[] _kept = [];
    int _count;

    /// <summary>Draws the colour of one raster position.</summary>
    /// <param name="logits">float32, at least one per colour.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="position">Raster position.</param>
    /// <param name="token">The colour drawn.</param>
    /// <returns>False if a logit is not a number, or none is finite, or one is +∞.</returns>
    public bool TrySample(ReadOnlySpan<float> logits, SamplingParameters sampling, int position, out int token)
    {
        logits = logits[..colours];

        // Where one is not a number, that one is found; of equal ones, the first.
        token = TensorPrimitives.IndexOfMax(logits);
        if (!float.IsFinite(logits[token]))
        {
            token = -1;
            return false;
        }

        if (sampling.Temperature > 0)
        {
            ulong sum = Weigh(logits, logits[token], sampling);
            token = Pick(sum, Philox.Uniform(sampling.Seed, sampling.Sample, (uint)position));
        }

        return true;
    }

    /// <summary>The probabilities that are drawn from; valid until the next call.</summary>
    /// <param name="logits">Finite or −∞, at least one finite.</param>
    /// <param name="sampling">Temperature above 0.</param>
    internal ReadOnlySpan<double> Probabilities(ReadOnlySpan<float> logits, SamplingParameters sampling)
    {
        logits = logits[..colours];
        ulong sum = Weigh(logits, TensorPrimitives.Max(logits), sampling);
        Array.Clear(_probabilities);
        for (int i = 0; i < _count; i++)
        {
            _probabilities[_kept[i]] = _weights[i] / (double)sum;
        }

        return _probabilities;
    }

    /// <summary>Leaves the colours that may be drawn, each with its weight. Returns the weights' sum.</summary>
    ulong Weigh(ReadOnlySpan<float> logits, float greatest, SamplingParameters sampling)
    {
        float divisor = (float)sampling.Temperature;

        // As Hugging Face divides, in float32; where a tiny temperature would overflow, logits stand for what they would be divided to: the order is the same.
        bool overflows = !float.IsFinite(greatest / divisor);
        if (overflows || divisor == 1)
        {
            logits.CopyTo(_divided);
        }
        else
        {
            TensorPrimitives.Divide(logits, divisor, _divided);
        }

        KeepTop(sampling.TopK);
        double scale = overflows ? sampling.Temperature : 1;
        WriteWeights(overflows ? greatest : greatest / divisor, scale);
        if (sampling.TopP < 1)
        {
            // The least likely colours go as long as their mass together stays within 1 − p.
            _order.Cut(_divided.AsSpan(0, _count), _weights.AsSpan(0, _count), (float)Math.Max(-ColourWeight.Least * scale, float.Epsilon), (ulong)((1 - sampling.TopP) * Sum()));
        }

        return Sum();
    }

    /// <summary>Keeps the k most likely colours; ties with the k-th stay, as in Hugging Face's TopKLogitsWarper.</summary>
    void KeepTop(int count)
    {
        if (count <= 0 || count >= colours)
        {
            (_kept, _count) = (_all, colours);
            return;
        }

        float least = _order.Bound(_divided, count);
        (int[] top, float[] divided, int kept) = (_top, _divided, 0);
        for (int i = 0; i < divided.Length; i++)
        {
            // Written always, kept or not: nothing for the processor to guess.
            (top[kept], divided[kept]) = (i, divided[i]);
            kept += divided[i] >= least ? 1 : 0;
        }

        (_kept, _count) = (top, kept);
    }

    /// <summary>Weights relative to the greatest's. Each is a function of its own score alone.</summary>
    void WriteWeights(double greatest, double divisor)
    {
        Span<double> depths = _depths.AsSpan(0, _count);
        TensorPrimitives.ConvertTruncating<float, double>(_divided.AsSpan(0, _count), depths);
        TensorPrimitives.Subtract(depths, greatest, depths);
        if (divisor != 1)
        {
            TensorPrimitives.Divide(depths, divisor, depths);
        }

        // What lies behind the last one is never read.
        for (int i = 0; i < _count; i += Padding)
        {
            ColourWeight.Of(Vector256.LoadUnsafe(ref _depths[i])).StoreUnsafe(ref _weights[i]);
        }
    }

    ulong Sum() => TensorPrimitives.Sum<ulong>(_weights.AsSpan(0, _count));

    int Pick(ulong total, ulong uniform)
    {
        ReadOnlySpan<ulong> weights = _weights.AsSpan(0, _count);
        ulong target = (ulong)(((UInt128)uniform * total) >> 53);
        int first = 0;
        while (first + PickBlock < weights.Length && TensorPrimitives.Sum(weights.Slice(first, PickBlock)) is var block && target >= block)
        {
            (target, first) = (target - block, first + PickBlock);
        }

        while (target >= weights[first])
        {
            target -= weights[first++];
        }

        return _kept[first];
    }
}
