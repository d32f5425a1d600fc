using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Runner;

/// <summary>Consecutive input tokens of one sequence that one step feeds: a single token when decoding, more when prefilling, or when guesses of the next ones are verified.</summary>
public readonly record struct SequenceChunk()
{
    /// <summary>KV slot of the sequence, 0 … <see cref="IModelRunner.SlotCount"/> − 1.</summary>
    public required int Slot { get; init; }

    /// <summary>Input position of the first token; positions before it are already in the slot.</summary>
    public required int Start { get; init; }

    /// <summary>Input token ids, at least one, each below <see cref="ModelShape.VocabularySize"/>.</summary>
    public required ReadOnlyMemory<int> Tokens { get; init; }

    /// <summary>Of the last tokens, how many logits are computed after: those are the chunk's logit rows, 0 … number of tokens.</summary>
    public int LogitRows { get; init; }

    /// <summary>
    /// How to draw a colour after each logit row's token, at the raster position of the same number as the token's input position. A runner that draws on its device gives
    /// <see cref="ChunkOutput.Drawn"/> then instead of the logits, the same colours that <see cref="Sampler"/> draws from them; others do not look at it.
    /// </summary>
    public SamplingParameters? Sampling { get; init; }

    /// <summary>
    /// Empty, or one id per logit row: return the log-probability of this id after the row's token (temperature 1, no filter) instead of the logits.
    /// </summary>
    public ReadOnlyMemory<int> Targets { get; init; }

    /// <summary>Hidden states (0 … <see cref="ModelShape.LayerCount"/>) to sum over positions, ascending; empty for none.</summary>
    public IReadOnlyList<int> PooledLayers { get; init; } = [];

    /// <summary>
    /// What <see cref="ChunkOutput.PooledSums"/> of the chunk before was, to add to: so sums do not depend on how a sequence is cut into chunks. Empty to begin with 0.
    /// </summary>
    public ReadOnlyMemory<double> PooledBefore { get; init; }
}
