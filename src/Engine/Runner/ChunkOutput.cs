namespace IgptCluster.Engine.Runner;

/// <summary>What a <see cref="SequenceChunk"/> asked for. Memory belongs to the runner and is valid until its next step.</summary>
public readonly record struct ChunkOutput
{
    /// <summary>
    /// Logits of the chunk's logit rows, float32 [<see cref="SequenceChunk.LogitRows"/> × <see cref="ModelShape.LogitCount"/>], row by row; empty where <see cref="Drawn"/> or
    /// <see cref="LogProbabilities"/> is given.
    /// </summary>
    public ReadOnlyMemory<float> Logits { get; init; }

    /// <summary>
    /// The colours that the runner drew as <see cref="SequenceChunk.Sampling"/> says, one per logit row; <see cref="NotFinite"/> where a row's logits are not finite; empty where it
    /// drew none.
    /// </summary>
    public ReadOnlyMemory<int> Drawn { get; init; }

    /// <summary>Stands for a colour where none could be drawn.</summary>
    public const int NotFinite = -1;

    /// <summary>Natural log-probability of each target, float32 [<see cref="SequenceChunk.LogitRows"/>]; empty unless targets were given.</summary>
    public ReadOnlyMemory<float> LogProbabilities { get; init; }

    /// <summary>
    /// Sum of each wanted hidden state over the chunk's positions, behind <see cref="SequenceChunk.PooledBefore"/>, float64 [layers wanted × <see cref="ModelShape.EmbeddingSize"/>], row by row.
    /// </summary>
    public ReadOnlyMemory<double> PooledSums { get; init; }
}
