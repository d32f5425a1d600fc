namespace IgptCluster.Contracts;

/// <summary>What an evaluation computed.</summary>
/// <param name="Rows">One row per image: float32 [classes], [n_embd] or [tokens], by the kind asked for.</param>
/// <param name="Head">The head whose logits they are; null unless classified. Its labels fit the rows whatever has been put since.</param>
/// <param name="More">What the further heads that were asked for say.</param>
[GenerateSerializer, Immutable, Alias("igpt.evaluation-result")]
public sealed record EvaluationResult(
    [property: Id(0)] float[][] Rows, [property: Id(1)] HeadDescription? Head = null, [property: Id(2)] HeadResult[]? More = null);

/// <summary>What one head says of all images.</summary>
/// <param name="Head">The head.</param>
/// <param name="Rows">Logits, float32 [images][classes].</param>
[GenerateSerializer, Immutable, Alias("igpt.head-result")]
public sealed record HeadResult([property: Id(0)] HeadDescription Head, [property: Id(1)] float[][] Rows);
