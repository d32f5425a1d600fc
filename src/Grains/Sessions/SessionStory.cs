using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions;

/// <summary>What a session is and has become: what its record stores. One grain's turns only.</summary>
internal sealed class SessionStory
{
    const int OperationsKept = 32;

    readonly List<string> _operations;

    /// <summary>A new session.</summary>
    /// <param name="spec">What it generates.</param>
    /// <param name="created">Now (UTC).</param>
    /// <param name="attempt">The attempt that starts it.</param>
    internal SessionStory(GenerationSpec spec, DateTimeOffset created, Guid attempt)
        : this(new SessionRecord { Spec = spec, Created = created, Attempt = attempt })
    {
    }

    /// <summary>A stored session.</summary>
    /// <param name="record">Its record, with a spec.</param>
    internal SessionStory(SessionRecord record)
    {
        (Spec, Parent, Rewinds, Created, Spent, Result, Delivered, Attempt) =
            (record.Spec!, record.Parent, record.Rewinds, record.Created, record.Spent, record.Result, record.Result, record.Attempt);
        _operations = [.. record.Operations];
        Log = new TokenLog(Spec.Prompt.Length);
        Log.Append(Log.End, record.Unpack());
        Log.Commit(Log.End);
        State = Result is not null ? SessionState.Finished : record.IsPaused ? SessionState.Paused : SessionState.Queued;
    }

    /// <summary>What it generates.</summary>
    internal GenerationSpec Spec { get; private set; }

    /// <summary>The tokens made so far.</summary>
    internal TokenLog Log { get; }

    /// <summary>The session it was forked from; null if none.</summary>
    internal SessionId? Parent { get; }

    /// <summary>How often it has been rewound.</summary>
    internal int Rewinds { get; private set; }

    /// <summary>When it was started (UTC).</summary>
    internal DateTimeOffset Created { get; }

    /// <summary>Where it stands.</summary>
    internal SessionState State { get; set; }

    /// <summary>How it ended; null while it has not.</summary>
    internal SessionResult? Result { get; private set; }

    /// <summary>The same once it is stored: only then is it told.</summary>
    internal SessionResult? Delivered { get; private set; }

    /// <summary>Where its time went, up to the latest pause or loss.</summary>
    internal SessionTimings Spent { get; set; }

    /// <summary>The latest attempt that started or joined it.</summary>
    internal Guid Attempt { get; private set; }

    /// <summary>Whether it holds no slot and wants none.</summary>
    internal bool IsAtRest => State is SessionState.Paused or SessionState.Finished;

    /// <summary>Notes an operation.</summary>
    /// <param name="operation">Its id; empty: it always counts.</param>
    /// <returns>False if it has been carried out before.</returns>
    internal bool TryBegin(string operation)
    {
        if (operation.Length == 0)
        {
            return true;
        }

        if (_operations.Contains(operation))
        {
            return false;
        }

        _operations.Add(operation);
        _operations.RemoveRange(0, Math.Max(0, _operations.Count - OperationsKept));
        return true;
    }

    /// <summary>Another attempt to start it finds it started.</summary>
    /// <param name="attempt">The attempt.</param>
    /// <returns>Whether that is news.</returns>
    internal bool TryJoin(Guid attempt)
    {
        bool isOther = attempt != Attempt;
        Attempt = attempt;
        return isOther;
    }

    /// <summary>It has ended.</summary>
    /// <param name="end">Why.</param>
    /// <param name="message">For a failure what went wrong; else empty.</param>
    internal void Finish(SessionEnd end, string message)
    {
        State = SessionState.Finished;
        Result = new SessionResult(end, message, Spent);
    }

    /// <summary>Drops the tokens from a position on; it will go on from there.</summary>
    /// <param name="branch">Where, and how.</param>
    internal void Rewind(SessionBranch branch)
    {
        Rewinds++;
        Spec = branch.Apply(Spec);
        (Result, Delivered, State) = (null, null, SessionState.Queued);
        Log.Truncate(branch.Position);
    }

    /// <summary>Checks where a session is to branch off.</summary>
    /// <param name="branch">Where.</param>
    /// <param name="field">The position's field, in the protocol's spelling.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    internal void Require(SessionBranch branch, string field)
    {
        int last = Math.Min(Log.CommittedEnd, Spec.EndPosition - 1);
        if (branch.Position < Spec.Prompt.Length || branch.Position > last)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"{field}: must lie between the prompt's end, {Spec.Prompt.Length}, and what the session has made with a pixel left to make, {last}; given {branch.Position}")
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

    /// <summary>What clients see of it.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="replica">The replica that has it.</param>
    /// <param name="expires">When it will be forgotten.</param>
    internal SessionDescription Describe(SessionId id, ReplicaId? replica, DateTimeOffset? expires) => new()
    {
        Id = id,
        Spec = Spec,
        State = Result is not null && Delivered is null ? SessionState.Running : State, // an end that is not stored yet may still be undone
        Result = Delivered,
        Position = Log.CommittedEnd,
        Replica = replica,
        Created = Created,
        Expires = expires,
        Parent = Parent,
        Rewinds = Rewinds,
    };

    /// <summary>The record of the session as it is, and what to do once that is stored.</summary>
    /// <param name="withTokens">Whether it will be stored at all.</param>
    /// <param name="expires">When it will be forgotten.</param>
    internal (SessionRecord Record, Action Stored) Snapshot(bool withTokens, DateTimeOffset? expires)
    {
        (int end, SessionResult? result, int rewinds) = (Log.End, Result, Rewinds);
        var record = new SessionRecord
        {
            Spec = Spec,
            Tokens = withTokens ? SessionRecord.Pack(Log.ToArray()) : [],
            IsPaused = State == SessionState.Paused,
            Result = result,
            Created = Created,
            Spent = Spent,
            Parent = Parent,
            Rewinds = rewinds,
            Operations = [.. _operations],
            Expires = expires,
            Attempt = Attempt,
        };
        return (record, () =>
        {
            // What was written before a rewind is no longer its story.
            if (rewinds == Rewinds)
            {
                Delivered = result;
                Log.Commit(end);
            }
        }
        );
    }
}
