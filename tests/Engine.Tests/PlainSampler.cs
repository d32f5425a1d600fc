using System.Numerics.Tensors;

namespace IgptCluster.Engine.Tests;

/// <summary>What the sampler computes, written down plainly: every colour through every step, sorted by comparisons.</summary>
static class PlainSampler
{
    public static double[] Probabilities(float[] logits, SamplingParameters sampling)
    {
        double[] all = Scores(logits, sampling.Temperature);
        double least = sampling.TopK > 0 && sampling.TopK < all.Length ? all.Order().ElementAt(all.Length - sampling.TopK) : double.NegativeInfinity;
        int[] kept = [.. Enumerable.Range(0, all.Length).Where(colour => all[colour] >= least)];
        double[] scores = [.. kept.Select(colour => all[colour])];
        if (sampling.TopP < 1)
        {
            int[] ascending = [.. Enumerable.Range(0, scores.Length).OrderBy(place => scores[place])];
            double[] likely = Softmax([.. ascending.Select(place => scores[place])]);
            double below = 0;
            for (int i = 0; i < scores.Length - 1 && (below += likely[i]) <= 1 - sampling.TopP; i++)
            {
                scores[ascending[i]] = double.NegativeInfinity;
            }
        }

        double[] probabilities = new double[all.Length];
        foreach ((int colour, double probability) in kept.Zip(Softmax(scores)))
        {
            probabilities[colour] = probability;
        }

        return probabilities;
    }

    static double[] Scores(float[] logits, double temperature)
    {
        float greatest = logits.Max();
        return float.IsFinite(greatest / (float)temperature)
            ? [.. logits.Select(logit => (double)(logit / (float)temperature))]
            : [.. logits.Select(logit => (logit - (double)greatest) / temperature)];
    }

    static double[] Softmax(double[] scores)
    {
        double greatest = scores.Max();
        double[] weights = [.. scores.Select(score => score - greatest < -708 ? 0 : Exp(score - greatest))];
        double sum = Sum(weights);
        return [.. weights.Select(weight => weight / sum)];
    }

    // Each eighth one together, as far as there are eights; the rest one by one.
    static double Sum(double[] weights)
    {
        int eights = weights.Length / 8 * 8;
        double[] lanes = new double[8];
        for (int i = 0; i < eights; i++)
        {
            lanes[i % 8] += weights[i];
        }

        double Pair(int lane) => lanes[lane] + lanes[lane + 4];
        return weights[eights..].Aggregate((Pair(0) + Pair(2)) + (Pair(1) + Pair(3)), (sum, weight) => sum + weight);
    }

    static double Exp(double value)
    {
        // As one of a vector: alone it may differ in the last bit.
        double[] values = [.. Enumerable.Repeat(value, 8)];
        TensorPrimitives.Exp<double>(values, values);
        return values[0];
    }
}
