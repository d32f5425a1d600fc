using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions.State;

/// <summary>What others see of a session: its clients, its viewers, the store. Changes nothing.</summary>
internal static class SessionViews
{
    static readonly TimeSpan StrandedRetry = TimeSpan.FromSeconds(2);

    /// <summary>What clients see of it.</summary>
    /// <param name="session">The session.</param>
    /// <param name="id">Its name.</param>
    /// <param name="expires">When it will be forgotten.</param>
    internal static SessionDescription Describe(this SessionState session, SessionId id, DateTimeOffset? expires) => new()
    {
        Id = id,
        Spec = session.Spec,
        State = session.Phase switch
        {
            SessionPhase.Running => SessionStatus.Running,
            SessionPhase.Paused or SessionPhase.Resuming => SessionStatus.Paused,
            SessionPhase.Finished => session.StoredResult is null ? SessionStatus.Running : SessionStatus.Finished, // an end that is not stored yet may still be undone
            _ => SessionStatus.Queued,
        },
        Result = session.StoredResult,
        Position = session.Tokens.CommittedEnd,
        Replica = session.Replica,
        Created = session.Created,
        Expires = expires,
        Parent = session.Parent,
        Rewinds = session.Rewinds,
    };

    /// <summary>What is stored of it.</summary>
    /// <param name="session">The session.</param>
    /// <param name="expires">When it will be forgotten.</param>
    internal static SessionRecord ToRecord(this SessionState session, DateTimeOffset? expires) => new()
    {
        Spec = session.Spec,
        Tokens = SessionRecord.Pack(session.Tokens.ToArray()),
        IsPaused = session.Phase is SessionPhase.Paused or SessionPhase.Resuming,
        Result = session.Result,
        Created = session.Created,
        Spent = session.Spent,
        Parent = session.Parent,
        Rewinds = session.Rewinds,
        Operations = session.Operations.ToArray(),
        Expires = expires,
        Attempt = session.Attempt,
    };

    /// <summary>The event of its being stored as it is now.</summary>
    /// <param name="session">The session.</param>
    internal static SessionEvent.Stored AsStored(this SessionState session) => new(session.Tokens.End, session.Result, session.Rewinds);

    /// <summary>Throws where what a viewer has seen is not what it would see next, or waits for what does not come.</summary>
    /// <param name="session">The session.</param>
    /// <param name="id">Its name.</param>
    /// <param name="rewinds">How often it had been rewound when the viewer came.</param>
    /// <exception cref="IgptException">SessionRewound, NoReplica.</exception>
    internal static void RequireGoingOn(this SessionState session, SessionId id, int rewinds)
    {
        if (session.Rewinds != rewinds)
        {
            throw new IgptException(IgptErrorCode.SessionRewound, $"session {id} was rewound while it was watched: attach again");
        }

        if (session.Stranding is { } why)
        {
            throw new IgptException(IgptErrorCode.NoReplica, $"session {id} {why}; it waits for one and goes on then: attach again") { RetryAfter = StrandedRetry };
        }
    }

    /// <summary>Checks where it is to branch off.</summary>
    /// <param name="session">The session.</param>
    /// <param name="branch">Where.</param>
    /// <param name="field">The position's field, in the protocol's spelling.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    internal static void Require(this SessionState session, SessionBranch branch, string field)
    {
        int first = session.Spec.Prompt.Length;
        int last = Math.Min(session.Tokens.CommittedEnd, session.Spec.EndPosition - 1);
        if (branch.Position < first || branch.Position > last)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"{field}: must lie between the prompt's end, {first}, and what the session has made with a pixel left to make, {last}; given {branch.Position}")
            {
                Field = field,
            };
        }

        if (Array.FindIndex(branch.Forced, pixel => pixel.Position < branch.Position) is >= 0 and var early)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"forced[{early}].position: a pixel before {field}, {branch.Position}, stays as it is; given one at {branch.Forced[early].Position}: begin there or before")
            {
                Field = $"forced[{early}].position",
            };
        }
    }
}
