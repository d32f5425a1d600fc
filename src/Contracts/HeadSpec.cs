namespace IgptCluster.Contracts;

/// <summary>A linear classifier on the mean-pooled hidden state of one layer, weights included. Obeys <see cref="HeadRules"/>.</summary>
[GenerateSerializer, Immutable, Alias("igpt.head-spec")]
public sealed record HeadSpec
{
    /// <summary>Name to ask for it by.</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>Hidden state it reads: 0 = embeddings, n_layer = after the final norm.</summary>
    [Id(1)]
    public required int Layer { get; init; }

    /// <summary>One label per class, in logit order.</summary>
    [Id(2)]
    public required string[] Labels { get; init; }

    /// <summary>float32 [labels × n_embd], row by row.</summary>
    [Id(3)]
    public required float[] Weight { get; init; }

    /// <summary>float32 [labels]; empty for none.</summary>
    [Id(4)]
    public required float[] Bias { get; init; }

    /// <summary>What clients see of it.</summary>
    public HeadDescription ToDescription() => new(Name, Layer, Labels);
}
