namespace IgptCluster.Contracts;

/// <summary>One model on one device: its weights, its KV slots, its engine. The key is the <see cref="ReplicaId"/>. Calls interleave and are short.</summary>
[Alias("igpt.IReplicaGrain")]
public interface IReplicaGrain : IGrainWithStringKey
{
    /// <summary>Starts loading its weights, unless they are loaded or being loaded already; of whatever version that is.</summary>
    /// <param name="deployment">From where and how.</param>
    /// <returns>The replica's load.</returns>
    [Alias("start")]
    Task<ReplicaStatus> StartAsync(ModelDeployment deployment);

    /// <summary>The replica's load.</summary>
    [Alias("status")]
    Task<ReplicaStatus> GetStatusAsync();

    /// <summary>The model it loaded.</summary>
    /// <exception cref="IgptException">NoReplica while weights are loading or after loading failed.</exception>
    [Alias("describe")]
    Task<ModelDescription> DescribeAsync();

    /// <summary>Takes no more work and gives its device back once what it has is done. Returns at once.</summary>
    /// <param name="evict">Whether generations end between two steps, to go on elsewhere.</param>
    [Alias("retire")]
    Task RetireAsync(bool evict = false);

    /// <summary>Which changes of put heads it has, deletions included.</summary>
    [Alias("head-stamps")]
    Task<HeadStamp[]> GetHeadStampsAsync();

    /// <summary>The last change of a put head; null if it knows none of that name.</summary>
    /// <param name="name">The head's name.</param>
    [Alias("get-head")]
    Task<HeadChange?> GetHeadAsync(string name);

    /// <summary>Puts or deletes a head unless it has a later change of that name already. Works while weights are loading.</summary>
    /// <param name="change">The change, from the model's grain.</param>
    /// <returns>The replica's <see cref="ReplicaStatus.HeadsVersion"/> from here on.</returns>
    [Alias("change-head")]
    Task<string> ChangeHeadAsync(HeadChange change);

    /// <summary>The model's grain has given it all heads there are: a name it does not know is unknown from here on, before that it may only be late.</summary>
    /// <returns>The replica's <see cref="ReplicaStatus.HeadsVersion"/> from here on.</returns>
    [Alias("complete-heads")]
    Task<string> CompleteHeadsAsync();

    /// <summary>Classifies, embeds or scores images. Takes as long as that takes: the caller's deadline ends it, or the loss of the silo.</summary>
    /// <param name="spec">Images and what to compute.</param>
    /// <param name="cancellationToken">Frees the slots between two steps.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, HeadNotFound, InvalidArgument, Unsupported.</exception>
    [Alias("evaluate"), ResponseTimeout("01:00:00")]
    Task<EvaluationResult> EvaluateAsync(EvaluationSpec spec, CancellationToken cancellationToken = default);

    /// <summary>
    /// Generates for one session: the enumeration is the generation. The first update is empty and says that the generation is
    /// queued; then come tokens as they are made; the last carries the result. Ending the enumeration frees the KV slot between two steps.
    /// </summary>
    /// <param name="session">The session it is for.</param>
    /// <param name="spec">What to generate.</param>
    /// <param name="generated">Tokens already made, after the prompt: generation goes on behind them.</param>
    /// <param name="isReadmission">Whether another replica that was lost had taken it: then it is taken however long the queue is.</param>
    /// <param name="cancellationToken">Ends the generation.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining, InvalidArgument, Unsupported: before the first update, and nothing was queued.</exception>
    [Alias("generate")]
    IAsyncEnumerable<SessionUpdate> GenerateAsync(SessionId session, GenerationSpec spec, int[] generated, bool isReadmission = false, CancellationToken cancellationToken = default);
}
