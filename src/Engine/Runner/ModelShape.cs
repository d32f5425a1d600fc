namespace IgptCluster.Engine.Runner;

/// <summary>The sizes of a loaded model that scheduling and sampling need. Immutable; any thread.</summary>
public sealed record ModelShape
{
    /// <summary>Number of input token ids: the palette's colours plus the start-of-sequence token, at least 2.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Number of logits per position: the colours (<see cref="VocabularySize"/> − 1), or all ids where embeddings are tied; 0 if the model has no language-model head.</summary>
    public required int LogitCount { get; init; }

    /// <summary>Logits that a colour may be drawn from: those of the start token, where there are any, are behind them.</summary>
    public int ColourCount => Math.Min(LogitCount, VocabularySize - 1);

    /// <summary>Longest input in tokens (n_positions), the start-of-sequence token included.</summary>
    public required int PositionCount { get; init; }

    /// <summary>Number of transformer blocks; hidden states are indexed 0 (embeddings) to this (last block, after the final norm).</summary>
    public required int LayerCount { get; init; }

    /// <summary>Width of a hidden state (n_embd).</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>The start-of-sequence id, always the last of the vocabulary.</summary>
    public int StartToken => VocabularySize - 1;
}
