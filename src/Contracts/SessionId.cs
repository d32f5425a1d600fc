namespace IgptCluster.Contracts;

/// <summary>Names one generation session, cluster-wide. Also the key of its grain.</summary>
/// <param name="Value">32 lower-case hexadecimal digits.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-id")]
public readonly record struct SessionId([property: Id(0)] string Value)
{
    /// <summary>A new, unguessable id.</summary>
    public static SessionId New() => new(Guid.NewGuid().ToString("N"));

    /// <summary>Whether a text could be a session id; anything else needs no grain to be refused.</summary>
    /// <param name="text">What a client sent.</param>
    public static bool IsWellFormed(string text) => Guid.TryParseExact(text, "N", out _);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
