namespace IgptCluster.Engine;

/// <summary>How an engine batches and how much it lets wait.</summary>
public sealed record EngineOptions
{
    /// <summary>
    /// Token budget of a step: every running generation's next token first, then chunks of prefills. At least 1; default 512. Never below the
    /// number of KV slots.
    /// </summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>
    /// How many times as long as without prefills a step may take in which generations decode: bounds what a new prompt or a classification does to their
    /// inter-token latency. Above 1; default 2.2. Times are those of the steps before.
    /// </summary>
    public double DecodeStretch { get; init; } = 2.2;

    /// <summary>Tokens that prefills get in any case in a step in which generations decode, so that they come on. At least 1; default 16.</summary>
    public int MinPrefillTokens { get; init; } = 16;

    /// <summary>
    /// The longest a step may take: after that the engine has failed, and what it had can go on elsewhere. Above 0; default 60 s. A step reads at most <see cref="MaxBatchTokens"/> tokens, and
    /// engines that share a processor take turns.
    /// </summary>
    public TimeSpan StepTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Sequences accepted beyond those that have a KV slot. At least 0; default 256. The next one is refused.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>Tokens that sequences beyond those that have a KV slot may have to be computed. At least 0; default 262,144: 256 whole images. The next sequence is refused.</summary>
    public int MaxWaitingTokens { get; init; } = 256 * 1024;

    /// <summary>Shortest common prefix, in tokens, that is copied from another slot instead of being computed again. At least 1; default 16.</summary>
    public int MinSharedPrefix { get; init; } = 16;

    /// <summary>
    /// Whether a client's sequences share prefixes with other clients' too. That saves prefills of what many clients send, and by the time to the first token tells each of them what others
    /// have sent lately. Default false.
    /// </summary>
    public bool SharesPrefixesAcrossClients { get; init; }
}
