namespace IgptCluster.Contracts;

/// <summary>
/// One generation: its identity, parameters, token log and where it runs. The key is the <see cref="SessionId"/>. Changes take an operation id: one whose id the
/// session has seen among its latest 32 changes nothing; an empty id always counts.
/// </summary>
[Alias("igpt.ISessionGrain")]
public interface ISessionGrain : IGrainWithStringKey
{
    /// <summary>Starts the generation on a replica. Calling again with the same spec changes nothing, except that the session is the later caller's from then on.</summary>
    /// <param name="spec">What to generate.</param>
    /// <param name="replica">The replica to run on.</param>
    /// <param name="attempt">Names the caller's attempt, which <see cref="WithdrawAsync"/> can take back.</param>
    /// <returns>False if it had been started before.</returns>
    /// <exception cref="IgptException">
    /// Overloaded, NoReplica, Draining, StoreUnavailable: nothing was started; InvalidArgument, Unsupported: nothing can be, for instance because the session
    /// was started with another spec.
    /// </exception>
    [Alias("start")]
    Task<bool> StartAsync(GenerationSpec spec, ReplicaId replica, Guid attempt = default);

    /// <summary>Starts it as another's fork. Calling again changes nothing.</summary>
    /// <param name="origin">What it begins with.</param>
    /// <param name="attempt">As for <see cref="StartAsync"/>.</param>
    /// <exception cref="IgptException">As <see cref="StartAsync"/>.</exception>
    [Alias("start-fork")]
    Task<SessionDescription> StartForkAsync(SessionOrigin origin, Guid attempt = default);

    /// <summary>
    /// Takes back an attempt to start the session whose caller has been told that it failed: nothing of the session stays, in the store neither. Changes nothing if a later attempt has
    /// joined the session, or somebody watches it.
    /// </summary>
    /// <param name="attempt">The attempt.</param>
    [Alias("withdraw")]
    Task WithdrawAsync(Guid attempt);

    /// <summary>What the session is doing.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("get")]
    Task<SessionDescription> GetAsync();

    /// <summary>What the session has made so far. Does not make the caller a viewer: a paused session stays paused.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("peek")]
    Task<SessionSnapshot> PeekAsync();

    /// <summary>
    /// Replays the tokens from a position, then follows live until the session ends; the last update carries the result.
    /// Any number of readers. Takes up a paused session again.
    /// </summary>
    /// <param name="fromPosition">Raster position of the first token wanted, at least the prompt's length.</param>
    /// <param name="rewinds">How often it has been rewound as far as the caller knows; null: any number.</param>
    /// <param name="cancellationToken">Ends the reading, not the session; a session without a time to live ends with its last reader.</param>
    /// <exception cref="IgptException">SessionNotFound, InvalidArgument, SessionRewound; NoReplica if it was parked because no replica could go on.</exception>
    [Alias("read")]
    IAsyncEnumerable<SessionUpdate> ReadAsync(int fromPosition, int? rewinds = null, CancellationToken cancellationToken = default);

    /// <summary>Starts another session that shares this one's beginning. The same child id gives the same session.</summary>
    /// <param name="child">The new session's id.</param>
    /// <param name="branch">Where and how it differs.</param>
    /// <param name="attempt">As for <see cref="StartAsync"/>, of the new session.</param>
    /// <exception cref="IgptException">SessionNotFound, InvalidArgument, and as <see cref="StartAsync"/>.</exception>
    [Alias("fork")]
    Task<SessionDescription> ForkAsync(SessionId child, SessionBranch branch, Guid attempt = default);

    /// <summary>Drops the tokens from a position on and goes on from there, also after the end. Its readers' enumerations end with SessionRewound.</summary>
    /// <param name="branch">Where, and how it goes on.</param>
    /// <exception cref="IgptException">SessionNotFound, InvalidArgument.</exception>
    [Alias("rewind")]
    Task<SessionDescription> RewindAsync(SessionBranch branch);

    /// <summary>Ends the session; a finished one stays as it is.</summary>
    /// <param name="operation">Operation id.</param>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("cancel")]
    Task<SessionDescription> CancelAsync(string operation = "");

    /// <summary>Gives the KV slot back and keeps the tokens; a finished session stays as it is.</summary>
    /// <param name="operation">Operation id.</param>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    [Alias("pause")]
    Task<SessionDescription> PauseAsync(string operation = "");

    /// <summary>Goes on with a paused session; any other stays as it is.</summary>
    /// <param name="operation">Operation id.</param>
    /// <exception cref="IgptException">SessionNotFound; Overloaded, NoReplica, Draining: it rests on.</exception>
    [Alias("resume")]
    Task<SessionDescription> ResumeAsync(string operation = "");

    /// <summary>Ends the session and forgets it; changes nothing if there is none.</summary>
    [Alias("delete")]
    Task DeleteAsync();

    /// <summary>
    /// Its creator has left. Changes nothing while others watch; else a session without a time to live ends, and one with it goes on or is paused.
    /// </summary>
    /// <param name="pause">Whether a session with a time to live is paused.</param>
    [Alias("abandon")]
    Task AbandonAsync(bool pause);
}
