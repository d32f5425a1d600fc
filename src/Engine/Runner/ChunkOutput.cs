namespace IgptCluster.Engine.Runner;

/// <summary>What a <see cref="SequenceChunk"/> asked for. Memory belongs to the runner and is valid until its next step.</summary>
public readonly record struct ChunkOutput
{
    /// <summary>Logits after the chunk's last token, float32 [<see cref="ModelShape.LogitCount"/>]; empty unless wanted, and where <see cref="Drawn"/> is given.</summary>
    public ReadOnlyMemory<float> Logits { get; init; }

    /// <summary>The colour that the runner drew as <see cref="SequenceChunk.Sampling"/> says; <see cref="NotFinite"/> where the logits are not finite; null where it drew none.</summary>
    public int? Drawn { get; init; }

    /// <summary>Stands for a colour where none could be drawn.</summary>
    public const int NotFinite = -1;

    /// <summary>Natural log-probability of each target, float32 [tokens of the chunk]; empty unless targets were given.</summary>
    public ReadOnlyMemory<float> LogProbabilities { get; init; }

    /// <summary>
    /// Sum of each wanted hidden state over the chunk's positions, behind <see cref="SequenceChunk.PooledBefore"/>, float64 [layers wanted × <see cref="ModelShape.EmbeddingSize"/>], row by row.
    /// </summary>
    public ReadOnlyMemory<double> PooledSums { get; init; }
}
