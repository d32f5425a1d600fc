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

    /// <summary>Classifies, embeds or scores images.</summary>
    /// <param name="spec">Images and what to compute.</param>
    /// <param name="cancellationToken">Frees the slots between two steps.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, HeadNotFound, InvalidArgument, Unsupported.</exception>
    [Alias("evaluate")]
    Task<EvaluationResult> EvaluateAsync(EvaluationSpec spec, CancellationToken cancellationToken = default);

    /// <summary>Queues a generation; <see cref="ReadAsync"/> follows it.</summary>
    /// <param name="session">The session it belongs to.</param>
    /// <param name="spec">What to generate.</param>
    /// <param name="generated">Tokens already made, after the prompt: generation goes on behind them.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, InvalidArgument, Unsupported: nothing was queued.</exception>
    [Alias("submit")]
    Task SubmitAsync(SessionId session, GenerationSpec spec, int[] generated);

    /// <summary>The tokens of a queued generation as they are made, once, to one reader; the last update carries the result.</summary>
    /// <param name="session">A session given to <see cref="SubmitAsync"/>.</param>
    /// <param name="cancellationToken">Ends the reading and the generation.</param>
    /// <exception cref="IgptException">SessionNotFound if it was not submitted here or is already read.</exception>
    [Alias("read")]
    IAsyncEnumerable<SessionUpdate> ReadAsync(SessionId session, CancellationToken cancellationToken = default);

    /// <summary>Stops a generation between two steps and frees its KV slot; unknown ones are ignored.</summary>
    /// <param name="session">The session.</param>
    [Alias("cancel")]
    Task CancelAsync(SessionId session);
}
