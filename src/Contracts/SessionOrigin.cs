namespace IgptCluster.Contracts;

/// <summary>What a forked session begins with.</summary>
/// <param name="Parent">The session it was forked from.</param>
/// <param name="Spec">What it generates.</param>
/// <param name="Tokens">Colour tokens behind the prompt that it shares with its parent.</param>
/// <param name="Replica">Where its parent's KV rows are, to be copied; null: nowhere.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-origin")]
public sealed record SessionOrigin(
    [property: Id(0)] SessionId Parent, [property: Id(1)] GenerationSpec Spec, [property: Id(2)] int[] Tokens, [property: Id(3)] ReplicaId? Replica);
