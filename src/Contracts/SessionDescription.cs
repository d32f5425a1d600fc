namespace IgptCluster.Contracts;

/// <summary>A session as its grain sees it now.</summary>
[GenerateSerializer, Immutable, Alias("igpt.session")]
public sealed record SessionDescription
{
    /// <summary>The session.</summary>
    [Id(0)]
    public required SessionId Id { get; init; }

    /// <summary>What it generates.</summary>
    [Id(1)]
    public required GenerationSpec Spec { get; init; }

    /// <summary>Where it stands.</summary>
    [Id(2)]
    public required SessionStatus State { get; init; }

    /// <summary>How it ended; null while it has not.</summary>
    [Id(3)]
    public SessionResult? Result { get; init; }

    /// <summary>Raster position of the next pixel: prompt and generated tokens so far.</summary>
    [Id(4)]
    public required int Position { get; init; }

    /// <summary>The replica that holds its KV slot; null if none does.</summary>
    [Id(5)]
    public ReplicaId? Replica { get; init; }

    /// <summary>When it was started (UTC).</summary>
    [Id(6)]
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it will be forgotten (UTC); null while a viewer keeps it alive.</summary>
    [Id(7)]
    public DateTimeOffset? Expires { get; init; }

    /// <summary>The session it was forked from; null if none.</summary>
    [Id(8)]
    public SessionId? Parent { get; init; }

    /// <summary>How often it has been rewound.</summary>
    [Id(9)]
    public int Rewinds { get; init; }
}
