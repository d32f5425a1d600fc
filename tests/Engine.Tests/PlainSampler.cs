using System.Runtime.Intrinsics;
using IgptCluster.Engine.Sampling;

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
        ulong[] weights = [.. kept.Select(colour => Weight(all[colour] - all.Max()))];
        if (sampling.TopP < 1)
        {
            ulong most = (ulong)((1 - sampling.TopP) * Sum(weights));
            ulong below = 0;
            foreach (int place in Enumerable.Range(0, kept.Length).OrderBy(place => all[kept[place]]).SkipLast(1))
            {
                below += weights[place];
                weights[place] = below <= most ? 0 : weights[place];
            }
        }

        double[] probabilities = new double[all.Length];
        foreach ((int colour, ulong weight) in kept.Zip(weights))
        {
            probabilities[colour] = weight / (double)Sum(weights);
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

    static ulong Sum(ulong[] weights) => weights.Aggregate(0UL, (sum, weight) => sum + weight);

    static ulong Weight(double value) => ColourWeight.Of(Vector256.Create(value))[0];
}
