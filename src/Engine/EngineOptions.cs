namespace IgptCluster.Engine;

/// <summary>How an engine batches and how much it lets wait.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// Token budget of a step: every running generation's next token first, then chunks of prefills. At least 1; default 512, so that a
    /// new prompt delays everybody's next token by one chunk at most. Never below the number of KV slots.
    /// </summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>Sequences accepted beyond those that have a KV slot. At least 0; default 256. The next one is refused.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>Shortest common prefix, in tokens, that is copied from another slot instead of being computed again. At least 1; default 16.</summary>
    public int MinSharedPrefix { get; init; } = 16;
}
