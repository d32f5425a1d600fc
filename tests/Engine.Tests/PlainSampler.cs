using System.Numerics.Tensors;

namespace IgptCluster.Engine.Tests;

/// <summary>What the sampler computes, written down plainly: every colour through every step, sorted by comparisons.</summary>
static class PlainSampler
{
    public static double[] Probabilities(float[] logits, SamplingParameters sampling)
    {
        double[] scores = Scores(logits, sampling.Temperature);
        if (sampling.TopK > 0 && sampling.TopK < scores.Length)
        {
            double least = scores.Order().ElementAt(scores.Length - sampling.TopK);
            scores = [.. scores.Select(score => score < least ? double.NegativeInfinity : score)];
        }

        if (sampling.TopP < 1)
        {
            int[] ascending = [.. Enumerable.Range(0, scores.Length).OrderBy(colour => scores[colour])];
            double[] likely = Softmax([.. ascending.Select(colour => scores[colour])]);
            double below = 0;
            for (int i = 0; i < scores.Length - 1 && (below += likely[i]) <= 1 - sampling.TopP; i++)
            {
                scores[ascending[i]] = double.NegativeInfinity;
            }
        }

        return Softmax(scores);
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
        double sum = weights.Aggregate(0.0, (sum, weight) => sum + weight);
        return [.. weights.Select(weight => weight / sum)];
    }

    static double Exp(double value)
    {
        // As one of a vector: alone it may differ in the last bit.
        double[] values = [.. Enumerable.Repeat(value, 8)];
        TensorPrimitives.Exp<double>(values, values);
        return values[0];
    }
}
