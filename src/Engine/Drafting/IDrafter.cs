using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Drafting;

/// <summary>
/// Guesses what a model will draw, so that one step can verify several tokens: where a guess is what is drawn it was free, where it is not it costs a row. What is drawn never depends
/// on guesses. Immutable; any thread.
/// </summary>
public interface IDrafter
{
    /// <summary>Its name, for people.</summary>
    string Name { get; }

    /// <summary>Begins to guess one sequence.</summary>
    /// <param name="sampling">How its tokens are drawn: guesses use the same random numbers.</param>
    ISequenceDrafter Begin(SamplingParameters sampling);
}
