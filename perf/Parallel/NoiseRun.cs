using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Parallel;

/// <summary>How often draws from two distributions agree when they share their random numbers.</summary>
/// <param name="Temperature">Temperature of the draws.</param>
/// <param name="InverseCdf">With one uniform number, colours in their order: the sampler's rule.</param>
/// <param name="Gumbel">With a Gumbel number for each colour.</param>
/// <param name="TotalVariation">Mean total variation distance of the two distributions.</param>
internal sealed record NoiseResult(double Temperature, double InverseCdf, double Gumbel, double TotalVariation);

/// <summary>Compares both rules on the states of pictures that are there: the model's distribution and the table's.</summary>
internal static class NoiseRun
{
    const int Pictures = 16;
    const int Draws = 20; // of each position

    internal static NoiseResult Measure(IModelRunner runner, int[][] pictures, double temperature, int width, ContextTable table)
    {
        if (temperature == 0)
            return new NoiseResult(0, double.NaN, double.NaN, double.NaN);
        var (sampler, random, sampling) = (new Sampler(runner.Shape.ColourCount), new Random(1), new SamplingParameters { Temperature = temperature });
        (double inverse, double gumbel, double distance, long positions) = (0, 0, 0, 0);
        foreach (int[] picture in pictures.Take(Pictures))
        {
            int[] inputs = [runner.Shape.StartToken, .. picture[..^1]];
            float[] logits = runner.Execute(new StepPlan([], [new SequenceChunk { Slot = 0, Start = 0, Tokens = inputs, LogitRows = inputs.Length }]))[0].Logits.ToArray();
            for (int position = 0; position < picture.Length; position++)
            {
                double[] guessed = Distribution(picture.AsSpan(0, position), width, table, runner.Shape.ColourCount, 1 / temperature);
                double[] drawn = sampler.Probabilities(logits.AsSpan(position * runner.Shape.LogitCount, runner.Shape.LogitCount), sampling).ToArray();
                distance += drawn.Zip(guessed, (one, other) => Math.Abs(one - other)).Sum() / 2;
                positions++;
                for (int draw = 0; draw < Draws; draw++)
                {
                    double uniform = random.NextDouble();
                    inverse += Pick(drawn, uniform) == Pick(guessed, uniform) ? 1.0 / Draws : 0;
                    gumbel += AgreeByGumbel(drawn, guessed, random) ? 1.0 / Draws : 0;
                }
            }
        }

        return new NoiseResult(temperature, inverse / positions, gumbel / positions, distance / positions);
    }

    static double[] Distribution(ReadOnlySpan<int> raster, int width, ContextTable table, int colours, double power)
    {
        ulong[] keys = new ulong[PixelContext.Orders];
        PixelContext.Write(raster, width, keys);
        ContextEntry entry = keys.Select(table.Find).FirstOrDefault(found => found.Total > 0);
        double[] weights = new double[colours];
        for (int i = 0; i < ContextEntry.Most; i++)
            weights[entry.Colour(i)] += entry.Count(i) == 0 ? 0 : Math.Pow(entry.Count(i), power);
        double sum = weights.Sum();
        return sum == 0 ? [.. weights.Select(_ => 1.0 / colours)] : [.. weights.Select(weight => weight / sum)];
    }

    static int Pick(double[] probabilities, double uniform)
    {
        int last = 0;
        for (int colour = 0; colour < probabilities.Length; colour++)
        {
            last = probabilities[colour] > 0 ? colour : last;
            uniform -= probabilities[colour];
            if (uniform < 0)
                break;
        }

        return last;
    }

    // The greatest log-probability with Gumbel noise: the least exponential number divided by the probability.
    static bool AgreeByGumbel(double[] drawn, double[] guessed, Random random)
    {
        (int one, int other, double least, double leastOther) = (0, 0, double.PositiveInfinity, double.PositiveInfinity);
        for (int colour = 0; colour < drawn.Length; colour++)
        {
            if (drawn[colour] == 0 && guessed[colour] == 0)
                continue;
            double noise = -Math.Log(1 - random.NextDouble());
            (one, least) = noise / drawn[colour] < least ? (colour, noise / drawn[colour]) : (one, least);
            (other, leastOther) = noise / guessed[colour] < leastOther ? (colour, noise / guessed[colour]) : (other, leastOther);
        }

        return one == other;
    }
}
