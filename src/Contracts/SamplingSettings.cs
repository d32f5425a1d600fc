namespace IgptCluster.Contracts;

/// <summary>How a session draws its tokens, fully resolved: nothing is left to a default.</summary>
[GenerateSerializer, Immutable, Alias("igpt.sampling")]
public sealed record SamplingSettings
{
    /// <summary>Logits are divided by this; 0 = greedy. Finite, at least 0.</summary>
    [Id(0)]
    public required double Temperature { get; init; }

    /// <summary>Keep the k most likely colours; 0 keeps all.</summary>
    [Id(1)]
    public required int TopK { get; init; }

    /// <summary>Keep the most likely colours up to this probability mass; above 0, at most 1.</summary>
    [Id(2)]
    public required double TopP { get; init; }

    /// <summary>Seed of the counter-based generator.</summary>
    [Id(3)]
    public required ulong Seed { get; init; }
}
