using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Engine;

/// <summary>
/// Draws a colour from logits in Hugging Face's order: temperature, top-k, top-p, softmax; then one uniform number picks. Probabilities are in double.
/// Sums are taken in one order, whatever vectors this machine has. One engine's thread only: it keeps its buffers.
/// </summary>
/// <param name="colours">Number of colours; logits behind them (the start token's, where embeddings are tied) are never drawn.</param>
sealed class Sampler(int colours)
{
    const int PickBlock = 32; // weights that are looked at together first
    const int Padding = 8; // doubles of the widest vector: one exponential is not computed in another way than the others

    // Exponents of normal numbers. Where a vector has another one, the library computes its neighbours in another way too, which differs in the last bit.
    const double LeastExponent = -708;

    // What lies so far below the greatest logit weighs less than 1e-17 of it.
    const double NucleusDepth = 40;

    readonly ColourOrder _order = new(colours);

    readonly int[] _all = [.. Enumerable.Range(0, colours)];
    readonly int[] _top = new int[colours];
    readonly float[] _divided = new float[colours];
    readonly double[] _weights = new double[colours + Padding];
    readonly bool[] _vanished = new bool[colours];
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
    internal bool TrySample(ReadOnlySpan<float> logits, SamplingParameters sampling, int position, out int token)
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
            double sum = Weigh(logits, logits[token], sampling);
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
        double sum = Weigh(logits, TensorPrimitives.Max(logits), sampling);
        Array.Clear(_probabilities);
        for (int i = 0; i < _count; i++)
        {
            _probabilities[_kept[i]] = _weights[i] / sum;
        }

        return _probabilities;
    }

    /// <summary>Leaves the colours that may be drawn, each with its weight. Returns the weights' sum.</summary>
    double Weigh(ReadOnlySpan<float> logits, float greatest, SamplingParameters sampling)
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
        Exponentials(overflows ? greatest : greatest / divisor, scale);
        if (sampling.TopP < 1)
        {
            // The least likely colours go as long as their mass together stays within 1 − p.
            _order.Cut(_divided.AsSpan(0, _count), _weights.AsSpan(0, _count), (float)Math.Max(NucleusDepth * scale, float.Epsilon), (1 - sampling.TopP) * Sum());
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

    /// <summary>Weights relative to the greatest, which is 1. Each is a function of its own score alone.</summary>
    void Exponentials(double greatest, double divisor)
    {
        Span<double> weights = _weights.AsSpan(0, Math.Max(_count, Padding));
        weights[_count..].Clear();
        TensorPrimitives.ConvertTruncating<float, double>(_divided.AsSpan(0, _count), weights);
        TensorPrimitives.Subtract(weights[.._count], greatest, weights);
        if (divisor != 1)
        {
            TensorPrimitives.Divide(weights[.._count], divisor, weights);
        }

        bool vanish = TensorPrimitives.Min<double>(weights) < LeastExponent;
        if (vanish)
        {
            for (int i = 0; i < _count; i++)
            {
                (_vanished[i], weights[i]) = (weights[i] < LeastExponent, Math.Max(weights[i], LeastExponent));
            }
        }

        TensorPrimitives.Exp<double>(weights, weights);
        for (int i = 0; vanish && i < _count; i++)
        {
            weights[i] = _vanished[i] ? 0 : weights[i];
        }
    }

    double Sum() => SumOf(_weights.AsSpan(0, _count));

    // Eight sums at a time, since each addition waits for the one before it; in this order on every machine.
    static double SumOf(ReadOnlySpan<double> weights)
    {
        ReadOnlySpan<Vector256<double>> vectors = MemoryMarshal.Cast<double, Vector256<double>>(weights);
        (Vector256<double> even, Vector256<double> odd) = (default, default);
        int done = 0;
        for (; done + 1 < vectors.Length; done += 2)
        {
            (even, odd) = (even + vectors[done], odd + vectors[done + 1]);
        }

        Vector128<double> two = (even + odd).GetLower() + (even + odd).GetUpper();
        double sum = two[0] + two[1];
        foreach (double weight in weights[(done * Vector256<double>.Count)..])
        {
            sum += weight;
        }

        return sum;
    }

    int Pick(double total, double uniform)
    {
        ReadOnlySpan<double> weights = _weights.AsSpan(0, _count);
        double target = uniform * total;
        double sum = 0;
        int first = 0;
        for (; first + PickBlock < weights.Length; first += PickBlock)
        {
            double block = sum + SumOf(weights.Slice(first, PickBlock));
            if (target < block)
            {
                break;
            }

            sum = block;
        }

        // Rounding may leave the sum a hair below the target: then it is the last that can be drawn.
        int last = weights[..first].LastIndexOfAnyExcept(0);
        for (int i = first; i < weights.Length; i++)
        {
            if (weights[i] > 0)
            {
                last = i;
                sum += weights[i];
                if (target < sum)
                {
                    break;
                }
            }
        }

        return _kept[last];
    }
}
