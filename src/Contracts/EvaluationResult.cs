namespace IgptCluster.Contracts;

/// <summary>What an evaluation computed.</summary>
/// <param name="Rows">One row per image: float32 [classes], [n_embd] or [tokens], by the kind asked for.</param>
[GenerateSerializer, Immutable, Alias("igpt.evaluation-result")]
public sealed record EvaluationResult([property: Id(0)] float[][] Rows);
