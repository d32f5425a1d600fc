using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Drafting;

/// <summary>
/// Guesses a pixel's colour by those of its neighbours: what followed them before in the same picture, and, where there is a table, in other pictures of the model. Needs no model of its
/// own and no training. Immutable; any thread.
/// </summary>
/// <param name="width">Pixels of a row.</param>
/// <param name="table">What followed in pictures of the model; null where that was not counted.</param>
public sealed class ContextDrafter(int width, ContextTable? table = null) : IDrafter
{
    /// <inheritdoc/>
    public ISequenceDrafter Begin(SamplingParameters sampling) => new ContextSequence(width, table, sampling);
}
