namespace IgptCluster.Engine.Sampling;

/// <summary>How a token is drawn from logits. A token is a pure function of logits, these values and its position.</summary>
public sealed record SamplingParameters
{
    /// <summary>Logits are divided by this before the filters; 0 takes the most likely colour (greedy). Finite, at least 0; default 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Keeps the k most likely colours (ties of the k-th are kept); 0 keeps all. Default 0.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of most likely colours with at least this probability mass; 1 keeps all. Above 0, at most 1; default 1.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Seed of the counter-based generator.</summary>
    public ulong Seed { get; init; }

    /// <summary>Which sample of the request this is, 0-based: samples of one seed differ by it.</summary>
    public uint Sample { get; init; }
}
