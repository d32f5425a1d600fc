namespace IgptCluster.Contracts;

/// <summary>One generation: its identity, parameters, token log and where it runs. The key is the <see cref="SessionId"/>.</summary>
[Alias("igpt.ISessionGrain")]
public interface ISessionGrain : IGrainWithStringKey
{
    /// <summary>Starts the generation on a replica. Calling again with the same session changes nothing.</summary>
    /// <param name="spec">What to generate.</param>
    /// <param name="replica">The replica to run on.</param>
    /// <exception cref="IgptException">Overloaded, NoReplica, Draining: nothing was started; InvalidArgument, Unsupported: nothing can be.</exception>
    [Alias("start")]
    Task<SessionDescription> StartAsync(GenerationSpec spec, ReplicaId replica);

    /// <summary>What the session is doing.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("get")]
    Task<SessionDescription> GetAsync();

    /// <summary>
    /// Replays the tokens from a position, then follows live until the session ends; the last update carries the result.
    /// Any number of readers. Takes up a paused session again.
    /// </summary>
    /// <param name="fromPosition">Raster position of the first token wanted, at least the prompt's length.</param>
    /// <param name="cancellationToken">Ends the reading, not the session; a session without a time to live ends with its last reader.</param>
    /// <exception cref="IgptException">SessionNotFound, InvalidArgument.</exception>
    [Alias("read")]
    IAsyncEnumerable<SessionUpdate> ReadAsync(int fromPosition, CancellationToken cancellationToken = default);

    /// <summary>Ends the session; a finished one stays as it is.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("cancel")]
    Task<SessionDescription> CancelAsync();

    /// <summary>Gives the KV slot back and keeps the tokens; a finished session stays as it is.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("pause")]
    Task<SessionDescription> PauseAsync();

    /// <summary>
    /// Its creator has left. Changes nothing while others watch; else a session without a time to live ends, and one with it goes on or is paused.
    /// </summary>
    /// <param name="pause">Whether a session with a time to live is paused.</param>
    [Alias("abandon")]
    Task AbandonAsync(bool pause);
}
