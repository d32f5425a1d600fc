namespace IgptCluster.Contracts;

/// <summary>What an evaluation computed.</summary>
/// <param name="Rows">One row per image: float32 [classes], [n_embd] or [tokens], by the kind asked for.</param>
/// <param name="Head">The head whose logits they are; null unless classified. Its labels fit the rows whatever has been put since.</param>
[GenerateSerializer, Immutable, Alias("igpt.evaluation-result")]
public sealed record EvaluationResult([property: Id(0)] float[][] Rows, [property: Id(1)] HeadDescription? Head = null);
