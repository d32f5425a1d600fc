using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Parallel;

/// <summary>How often a drafter's guess is what is drawn.</summary>
/// <param name="Temperature">Temperature of the draws.</param>
/// <param name="Drafter">What guesses, and by what rule.</param>
/// <param name="Right">Share of all pixels.</param>
/// <param name="TokensPerStep">With each number of guesses of <see cref="AcceptanceRun.Depths"/>.</param>
internal sealed record AcceptanceResult(double Temperature, string Drafter, double Right, double[] TokensPerStep);

/// <summary>Guesses pictures that are there already, pixel by pixel.</summary>
internal static class AcceptanceRun
{
    internal static readonly int[] Depths = [1, 3, 7, 15, 31];

    internal static IEnumerable<AcceptanceResult> Measure(int[][] pictures, double temperature, int width, ContextTable table)
    {
        foreach ((string name, ContextTable? known) in new[] { ("same picture", (ContextTable?)null), ("and table", table) })
        {
            foreach (GuessRule rule in Enum.GetValues<GuessRule>())
            {
                bool[][] right = [.. pictures.Select((picture, sample) => Right(picture, new ContextSequence(width, known, Sampling(temperature, sample), rule)))];
                yield return new AcceptanceResult(
                    temperature,
                    $"{name}, {rule switch { GuessRule.Frequent => "most frequent", GuessRule.Drawn => "shared number", _ => "the better" }}",
                    right.SelectMany(one => one).Average(one => one ? 1.0 : 0),
                    [.. Depths.Select(depth => right.Sum(one => one.Length) / (double)right.Sum(one => Steps(one, depth)))]);
            }
        }
    }

    static SamplingParameters Sampling(double temperature, int sample) => new() { Temperature = temperature, Seed = PictureMaker.Seed, Sample = (uint)sample };

    static bool[] Right(int[] picture, ContextSequence drafter)
    {
        bool[] right = new bool[picture.Length];
        for (int position = 0; position < picture.Length; position++)
        {
            right[position] = drafter.Guess(picture.AsSpan(0, position), out _) == picture[position];
            drafter.Learn(picture.AsSpan(0, position + 1), position);
        }

        return right;
    }

    // A step makes what was guessed right and one more. (The drafter knows here what the same step verifies: a little too much.)
    static int Steps(bool[] right, int depth)
    {
        int steps = 0;
        for (int position = 0; position < right.Length; steps++)
        {
            int guessed = 0;
            while (guessed < depth && position < right.Length && right[position])
                (guessed, position) = (guessed + 1, position + 1);
            position++;
        }

        return steps;
    }
}
