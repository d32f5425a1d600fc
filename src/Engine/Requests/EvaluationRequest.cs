using IgptCluster.Engine.Runner;

namespace IgptCluster.Engine.Requests;

/// <summary>One sequence to read through: either its pooled hidden states or its log-probabilities.</summary>
public sealed record EvaluationRequest
{
    /// <summary>Names the sequence.</summary>
    public required SequenceId Id { get; init; }

    /// <summary>Colour tokens in raster order, 1 … <see cref="ModelShape.PositionCount"/>.</summary>
    public required ReadOnlyMemory<int> Tokens { get; init; }

    /// <summary>
    /// Hidden states (0 … <see cref="ModelShape.LayerCount"/>) to average over all positions; the tokens are fed as they are,
    /// without a start token, as the linear-probe recipe has it. Empty for none.
    /// </summary>
    public IReadOnlyList<int> PooledLayers { get; init; } = [];

    /// <summary>True to score: the log-probability of every token given the start token and those before it. Excludes <see cref="PooledLayers"/>.</summary>
    public bool LogProbabilities { get; init; }

    /// <summary>Higher is served first; of equal ones those of the client that has been served least, then in order of arrival. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>Whose it is: of equal priority, clients share the device evenly. Default: nobody's in particular.</summary>
    public string Client { get; init; } = "";
}
