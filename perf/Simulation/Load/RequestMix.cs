using IgptCluster.Contracts;

namespace IgptCluster.Simulation.Load;

/// <summary>What is asked for: unconditional images and completions of upper halves alike, and some classifications.</summary>
/// <param name="model">The model's name.</param>
/// <param name="sampling">How tokens are drawn.</param>
/// <param name="classifications">Share of the requests that are classifications, 0 … 1.</param>
internal sealed class RequestMix(string model, SamplingSettings sampling, double classifications)
{
    const int Side = 32;
    const int Pixels = Side * Side;
    const int Colours = 512;

    /// <summary>Tokens that a generation makes on average.</summary>
    internal const double MeanTokens = Pixels * 0.75;

    internal bool IsClassification(Random random) => random.NextDouble() < classifications;

    /// <summary>A generation from its beginning.</summary>
    internal GenerationSpec Generation(Random random) => Behind(random.Next(2) == 0 ? 0 : Pixels / 2, random);

    /// <summary>A generation that has been going on for a while: with many of them a cluster is at once as it will be later.</summary>
    internal GenerationSpec Remainder(Random random)
    {
        // One in three that run is a completion: it takes half as long as the others.
        bool isCompletion = random.Next(3) == 0;
        return Behind(isCompletion ? random.Next(Pixels / 2, Pixels - 1) : random.Next(0, Pixels - 1), random);
    }

    internal static EvaluationSpec Classification(Random random) => new() { Kind = EvaluationKind.Classify, Images = [Tokens(Pixels, random)] };

    /// <summary>A generation behind a random prompt.</summary>
    internal GenerationSpec Behind(int prompt, Random random) => new()
    {
        Model = model,
        Prompt = Tokens(prompt, random),
        EndPosition = Pixels,
        Width = Side,
        Height = Side,
        Sampling = sampling with { Seed = (ulong)random.NextInt64() },
    };

    static int[] Tokens(int count, Random random) => [.. Enumerable.Range(0, count).Select(_ => random.Next(Colours))];
}
