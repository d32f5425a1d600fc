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
    /// <summary>Pixels of a row of a model's square pictures.</summary>
    /// <param name="positions">The model's positions, n_positions.</param>
    public static int WidthOf(int positions) => (int)Math.Ceiling(Math.Sqrt(positions));

    /// <inheritdoc/>
    public string Name => table is null ? "neighbours" : "neighbours and table";

    /// <inheritdoc/>
    public ISequenceDrafter Begin(SamplingParameters sampling) => new ContextSequence(width, table, sampling);
}
