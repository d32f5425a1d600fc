namespace IgptCluster.Contracts;

/// <summary>Prefill work on whole images: classify, embed, score. One sequence per image, all in one batch if there is room.</summary>
[GenerateSerializer, Immutable, Alias("igpt.evaluation-spec")]
public sealed record EvaluationSpec
{
    /// <summary>Colour tokens of each image in raster order, 1 … n_positions each.</summary>
    [Id(0)]
    public required int[][] Images { get; init; }

    /// <summary>What to compute.</summary>
    [Id(1)]
    public required EvaluationKind Kind { get; init; }

    /// <summary>For <see cref="EvaluationKind.Classify"/>: the head's name; empty for the model's default head.</summary>
    [Id(2)]
    public string Head { get; init; } = "";

    /// <summary>For <see cref="EvaluationKind.Embed"/>: the hidden state to pool, 0 … n_layer.</summary>
    [Id(3)]
    public int Layer { get; init; }

    /// <summary>Higher is served first; 0 is normal.</summary>
    [Id(4)]
    public int Priority { get; init; }

    /// <summary>For <see cref="EvaluationKind.Classify"/>: further heads to score from the same pass; <c>*</c> for all of the model.</summary>
    [Id(5)]
    public string[] MoreHeads { get; init; } = [];

    /// <summary>Who asked for it: of equal priority, clients share a device evenly.</summary>
    [Id(6)]
    public string Client { get; init; } = "";
}
