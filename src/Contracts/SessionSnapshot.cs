namespace IgptCluster.Contracts;

/// <summary>A session and what it has made so far.</summary>
/// <param name="Session">The session.</param>
/// <param name="Tokens">Its stored colour tokens from the prompt's end to <see cref="SessionDescription.Position"/>.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-snapshot")]
public sealed record SessionSnapshot([property: Id(0)] SessionDescription Session, [property: Id(1)] int[] Tokens);
