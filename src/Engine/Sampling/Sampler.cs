using System.Numerics.Tensors;

namespace IgptCluster.Engine;

/// <summary>
/// Draws a colour from logits in Hugging Face's order: temperature, top-k, top-p, softmax; then one uniform number picks. Probabilities are in double.
/// One engine's thread only: it keeps its buffers.
/// </summary>
/// <param name="colours">Number of colours; logits behind them (the start token's, where embeddings are tied) are never drawn.</param>
sealed class Sampler(int colours)
{
    readonly float[] _divided = new float[colours];
    readonly double[] _scores = new double[colours];
    readonly double[] _sorted = new double[colours];
    readonly int[] _order = new int[colours];

    /// <summary>Draws the colour of one raster position.</summary>
    /// <param name="logits">float32, at least one per colour.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="position">Raster position.</param>
    /// <param name="token">The colour drawn.</param>
    /// <returns>False if a logit is not a number, or none is finite, or one is +∞.</returns>
    internal bool TrySample(ReadOnlySpan<float> logits, SamplingParameters sampling, int position, out int token)
    {
        token = Greatest(logits[..colours]);
        if (token < 0)
        {
            return false;
        }

        if (sampling.Temperature > 0)
        {
            ReadOnlySpan<double> probabilities = Probabilities(logits, sampling);
            token = Pick(probabilities, Philox.Uniform(sampling.Seed, sampling.Sample, (uint)position));
        }

        return true;
    }

    /// <summary>The probabilities that are drawn from; valid until the next call.</summary>
    /// <param name="logits">Finite or −∞, at least one finite.</param>
    /// <param name="sampling">Temperature above 0.</param>
    internal ReadOnlySpan<double> Probabilities(ReadOnlySpan<float> logits, SamplingParameters sampling)
    {
        Scale(logits[..colours], sampling.Temperature);
        if (sampling.TopK > 0 && sampling.TopK < colours)
        {
            KeepTop(sampling.TopK);
        }

        if (sampling.TopP < 1)
        {
            KeepNucleus(sampling.TopP);
        }

        Softmax(_scores);
        return _scores;
    }

    /// <summary>Index of the greatest logit, the lowest of equal ones; −1 if they cannot be used.</summary>
    static int Greatest(ReadOnlySpan<float> logits)
    {
        // Where one is not a number, that one is found.
        int greatest = TensorPrimitives.IndexOfMax(logits);
        return float.IsFinite(logits[greatest]) ? greatest : -1;
    }

    /// <summary>Divides in float32, as Hugging Face does; relative to the greatest where a tiny temperature would overflow.</summary>
    void Scale(ReadOnlySpan<float> logits, double temperature)
    {
        float divisor = (float)temperature;
        float greatest = logits[Greatest(logits)];
        if (float.IsFinite(greatest / divisor))
        {
            TensorPrimitives.Divide(logits, divisor, _divided);
            TensorPrimitives.ConvertTruncating<float, double>(_divided, _scores);
            return;
        }

        for (int i = 0; i < colours; i++)
        {
            _scores[i] = (logits[i] - (double)greatest) / temperature;
        }
    }

    void KeepTop(int count)
    {
        _scores.CopyTo(_sorted, 0);
        Array.Sort(_sorted);
        double least = _sorted[^count];
        for (int i = 0; i < colours; i++)
        {
            // Ties with the k-th stay, as in Hugging Face's TopKLogitsWarper.
            _scores[i] = _scores[i] < least ? double.NegativeInfinity : _scores[i];
        }
    }

    /// <summary>Removes the least likely colours as long as their mass together stays within 1 − p; the most likely always stays.</summary>
    void KeepNucleus(double mass)
    {
        for (int i = 0; i < colours; i++)
        {
            _order[i] = i;
        }

        _order.AsSpan().Sort((left, right) => _scores[left].CompareTo(_scores[right]) is not 0 and var byScore ? byScore : left - right);
        for (int i = 0; i < colours; i++)
        {
            _sorted[i] = _scores[_order[i]];
        }

        Softmax(_sorted);
        double below = 0;
        for (int i = 0; i < colours - 1; i++)
        {
            below += _sorted[i];
            if (below > 1 - mass)
            {
                break;
            }

            _scores[_order[i]] = double.NegativeInfinity;
        }
    }

    /// <summary>The sum is taken in the colours' order, whatever vectors this machine has.</summary>
    static void Softmax(Span<double> values)
    {
        TensorPrimitives.Subtract(values, TensorPrimitives.Max<double>(values), values);
        TensorPrimitives.Exp<double>(values, values);
        double sum = 0;
        foreach (double value in values)
        {
            sum += value;
        }

        TensorPrimitives.Divide(values, sum, values);
    }

    static int Pick(ReadOnlySpan<double> probabilities, double uniform)
    {
        double sum = 0;
        int last = 0;
        for (int i = 0; i < probabilities.Length; i++)
        {
            if (probabilities[i] > 0)
            {
                last = i;
                sum += probabilities[i];
                if (uniform < sum)
                {
                    return i;
                }
            }
        }

        // Rounding may leave the sum a hair below 1.
        return last;
    }
}
