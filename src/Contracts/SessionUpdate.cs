namespace IgptCluster.Contracts;

/// <summary>The next piece of a session's story: tokens, or its end.</summary>
/// <param name="Position">Raster position of the first token.</param>
/// <param name="Tokens">Colour tokens from <paramref name="Position"/> on; empty with a result.</param>
/// <param name="Result">How the session ended: always the last update. Null before.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-update")]
public sealed record SessionUpdate(
    [property: Id(0)] int Position,
    [property: Id(1)] int[] Tokens,
    [property: Id(2)] SessionResult? Result);
