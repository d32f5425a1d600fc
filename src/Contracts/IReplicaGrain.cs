namespace IgptCluster.Contracts;

/// <summary>One model on one device: its weights, its KV slots, its engine. The key is the <see cref="ReplicaId"/>. Calls interleave and are short.</summary>
[Alias("igpt.IReplicaGrain")]
public interface IReplicaGrain : IGrainWithStringKey
{
    /// <summary>The replica's load; activates it, which starts loading its weights.</summary>
    [Alias("status")]
    Task<ReplicaStatus> GetStatusAsync();

    /// <summary>The model it loaded.</summary>
    /// <exception cref="IgptException">NoReplica while weights are loading or after loading failed.</exception>
    [Alias("describe")]
    Task<ModelDescription> DescribeAsync();

    /// <summary>Takes no more work and gives its device back once what it has is done. Returns at once.</summary>
    [Alias("retire")]
    Task RetireAsync();

    /// <summary>Classifies, embeds or scores images.</summary>
    /// <param name="spec">Images and what to compute.</param>
    /// <param name="cancellationToken">Frees the slots between two steps.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, HeadNotFound, InvalidArgument, Unsupported.</exception>
    [Alias("evaluate")]
    Task<EvaluationResult> EvaluateAsync(EvaluationSpec spec, CancellationToken cancellationToken = default);

    /// <summary>
    /// Generates for one session: the enumeration is the generation. The first update is empty and says that the generation is
    /// queued; then come tokens as they are made; the last carries the result. Ending the enumeration frees the KV slot between two steps.
    /// </summary>
    /// <param name="session">The session it is for.</param>
    /// <param name="spec">What to generate.</param>
    /// <param name="generated">Tokens already made, after the prompt: generation goes on behind them.</param>
    /// <param name="cancellationToken">Ends the generation.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, InvalidArgument, Unsupported: before the first update, and nothing was queued.</exception>
    [Alias("generate")]
    IAsyncEnumerable<SessionUpdate> GenerateAsync(SessionId session, GenerationSpec spec, int[] generated, CancellationToken cancellationToken = default);
}
