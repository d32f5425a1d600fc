using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions.State;

/// <summary>
/// A session as a state machine: what it is, what an event makes of it (<see cref="Apply"/>), and what has to be done then. It stores, runs and waits for nothing itself.
/// docs/architecture.md has all its phases and events as a table, which a test compares with it. One thread at a time.
/// </summary>
internal sealed class SessionState
{
    readonly SessionOptions _options;
    readonly List<string> _resuming = []; // operations that count once a replica takes it
    bool _isStored; // whether it has been, so that it outlives its caller
    bool _isResumption; // whether the run that looks for a replica takes up what ran before
    int _losses; // of replicas since the latest token

    SessionState(SessionRecord record, SessionPhase phase, SessionOptions options)
    {
        (_options, Phase, Spec, Parent, Rewinds, Created, Spent, Attempt) =
            (options, phase, record.Spec!, record.Parent, record.Rewinds, record.Created, record.Spent, record.Attempt);
        (Result, StoredResult, Operations) = (record.Result, record.Result, new OperationLog(record.Operations));
        Tokens = new TokenLog(Spec.Prompt.Length);
        Tokens.Append(Tokens.End, record.Unpack());
        Tokens.Commit(Tokens.End);
    }

    /// <summary>A session that is to be started; a fork begins with tokens.</summary>
    /// <param name="record">What it begins with.</param>
    /// <param name="options">How long sessions are kept, and how often they are taken up again.</param>
    internal static SessionState New(SessionRecord record, SessionOptions options) => new(record, SessionPhase.Starting, options);

    /// <summary>A session that is stored, or handed over.</summary>
    /// <param name="record">Its record, with a spec.</param>
    /// <param name="options">As for <see cref="New"/>.</param>
    internal static SessionState Restore(SessionRecord record, SessionOptions options) =>
        new(record, record.Result is not null ? SessionPhase.Finished : record.IsPaused ? SessionPhase.Paused : SessionPhase.Interrupted, options) { _isStored = true };

    /// <summary>Where it stands.</summary>
    internal SessionPhase Phase { get; private set; }

    /// <summary>What it generates.</summary>
    internal GenerationSpec Spec { get; private set; }

    /// <summary>The tokens made so far.</summary>
    internal TokenLog Tokens { get; }

    /// <summary>The session it was forked from; null if none.</summary>
    internal SessionId? Parent { get; }

    /// <summary>How often it has been rewound.</summary>
    internal int Rewinds { get; private set; }

    /// <summary>When it was started (UTC).</summary>
    internal DateTimeOffset Created { get; }

    /// <summary>How it ended; null while it has not.</summary>
    internal SessionResult? Result { get; private set; }

    /// <summary>The same once it is stored: only then is it told.</summary>
    internal SessionResult? StoredResult { get; private set; }

    /// <summary>Where its time went, up to the latest pause or loss.</summary>
    internal SessionTimings Spent { get; private set; }

    /// <summary>The latest attempt that started or joined it.</summary>
    internal Guid Attempt { get; private set; }

    /// <summary>What clients have done with it lately.</summary>
    internal OperationLog Operations { get; }

    /// <summary>Number of viewers.</summary>
    internal int Viewers { get; private set; }

    /// <summary>Counts the orders to its run.</summary>
    internal int Run { get; private set; }

    /// <summary>The replica that has it; null if none does.</summary>
    internal ReplicaId? Replica { get; private set; }

    /// <summary>Why no replica has it; null unless it is stranded.</summary>
    internal string? Stranding { get; private set; }

    /// <summary>Whether it holds no slot and wants none.</summary>
    internal bool IsAtRest => Phase is SessionPhase.Paused or SessionPhase.Finished;

    /// <summary>When the cluster has to wake it.</summary>
    internal AlarmDemand Alarm => !_isStored || Spec.TimeToLive == TimeSpan.Zero || Phase is SessionPhase.Forgotten or SessionPhase.Taken ? AlarmDemand.None
        : IsAtRest && Viewers == 0 ? AlarmDemand.AtExpiry
        : AlarmDemand.EachMinute;

    /// <summary>How long it is kept without viewers.</summary>
    internal TimeSpan KeptFor => Spec.TimeToLive > TimeSpan.Zero ? Spec.TimeToLive : Result is null ? _options.FirstViewerTimeout : _options.FinishedRetention;

    /// <summary>Changes the session as an event demands.</summary>
    /// <param name="happened">The event. One that does not fit the phase changes nothing.</param>
    /// <returns>What is to be done now.</returns>
    internal Effects Apply(SessionEvent happened)
    {
        AlarmDemand alarm = Alarm;
        Effects effects = Phase is SessionPhase.Forgotten or SessionPhase.Taken || happened is SessionEvent.OfRun { Run: var run } && run != Run ? default : Change(happened);
        bool isAlarmDue = Alarm != alarm || happened is SessionEvent.Awoken || (Alarm == AlarmDemand.AtExpiry && effects.Retention is not null);
        return isAlarmDue ? effects with { Alarm = Alarm } : effects;
    }

    Effects Change(SessionEvent happened) => happened switch
    {
        SessionEvent.Started started when Phase == SessionPhase.Starting && Run == 0 => Ordered(SessionPhase.Starting, started.Order),
        SessionEvent.Joined joined when joined.Attempt != Attempt => Join(joined.Attempt),
        SessionEvent.Withdrawn withdrawn when withdrawn.Attempt == Attempt && Viewers == 0 => Leave(SessionPhase.Forgotten),
        SessionEvent.Restored restored when Viewers == 0 => new Effects { Retention = restored.Left ?? KeptFor },
        SessionEvent.Awoken when Phase == SessionPhase.Interrupted => Replace("its silo was lost"),
        SessionEvent.ViewerCame => Enter(),
        SessionEvent.ViewerLeft => LeftByViewer(),
        SessionEvent.Paused paused => TryNote(paused.Operation) ? Pause() : default,
        SessionEvent.Resumed resumed when Phase is SessionPhase.Paused or SessionPhase.Resuming && !Operations.Has(resumed.Operation) => Resume(resumed.Operation),
        SessionEvent.Cancelled cancelled => TryNote(cancelled.Operation) ? Finish(SessionEnd.Cancelled, "") : default,
        SessionEvent.Rewound rewound => Operations.TryNote(rewound.Branch.Operation) ? Rewind(rewound.Branch) : default,
        SessionEvent.Abandoned abandoned when Viewers == 0 && Phase != SessionPhase.Finished => Abandon(abandoned.Pause),
        SessionEvent.Deleted => Leave(SessionPhase.Forgotten),
        SessionEvent.Expired when Viewers == 0 => Leave(SessionPhase.Forgotten),
        SessionEvent.Stored stored => TakeStored(stored),
        SessionEvent.NotStored when !_isStored => Leave(SessionPhase.Forgotten),
        SessionEvent.Taken => Leave(SessionPhase.Taken),
        SessionEvent.Placed placed when Phase is SessionPhase.Starting or SessionPhase.Resuming or SessionPhase.Searching or SessionPhase.Stranded => Queue(placed.Replica),
        SessionEvent.Refused when Phase == SessionPhase.Starting => Leave(SessionPhase.Forgotten),
        SessionEvent.Refused when Phase == SessionPhase.Resuming => Ordered(SessionPhase.Paused, new RunOrder.Stop()),
        SessionEvent.SearchedInVain vain when Phase == SessionPhase.Searching => Strand(vain.Message),
        SessionEvent.Made made when Phase is SessionPhase.Queued or SessionPhase.Running => Append(made),
        SessionEvent.Ended ended when Phase is SessionPhase.Queued or SessionPhase.Running => End(ended.Result),
        SessionEvent.Lost lost when Phase is SessionPhase.Queued or SessionPhase.Running => Replace(lost.Reason),
        _ => default,
    };

    /// <summary>All changes of what the run is to do come through here.</summary>
    Effects Ordered(SessionPhase phase, RunOrder order)
    {
        (Phase, Replica, Stranding) = (phase, null, null);
        Run++;
        _resuming.Clear();
        return new Effects { Run = order };
    }

    Effects Join(Guid attempt)
    {
        Attempt = attempt;
        return Phase == SessionPhase.Starting ? default : new Effects { Commit = CommitDemand.Now }; // the first write is still to come
    }

    Effects Enter()
    {
        Viewers++;
        Effects effects = Phase == SessionPhase.Paused ? Resume("") : default;
        return effects with { Retention = Timeout.InfiniteTimeSpan };
    }

    Effects LeftByViewer() => --Viewers > 0 ? default
        : Result is null && Spec.TimeToLive == TimeSpan.Zero ? Finish(SessionEnd.Cancelled, "")
        : new Effects { Commit = IsAtRest ? CommitDemand.Soon : CommitDemand.None, Retention = KeptFor }; // at rest it may leave the memory: when it expires must be known without

    /// <summary>Notes an operation that changes only a session that has not ended.</summary>
    bool TryNote(string operation) => Operations.TryNote(operation) && Phase != SessionPhase.Finished;

    /// <summary>One that is paused may be about to go on.</summary>
    Effects Pause() => Ordered(SessionPhase.Paused, new RunOrder.Stop()) with { Commit = CommitDemand.Now };

    Effects Resume(string operation)
    {
        if (Tokens.End == Spec.EndPosition)
        {
            // Only its end was lost.
            return Finish(Spec.EndReached, "");
        }

        Effects effects = Phase == SessionPhase.Paused ? Ordered(SessionPhase.Resuming, new RunOrder.Anywhere()) : default;
        _isResumption = true;
        _resuming.Add(operation);
        return effects;
    }

    Effects Rewind(SessionBranch branch)
    {
        Rewinds++;
        Spec = branch.Apply(Spec);
        (Result, StoredResult, _isResumption, _losses) = (null, null, false, 0);
        Tokens.Truncate(branch.Position);
        return Ordered(SessionPhase.Searching, new RunOrder.Search("was rewound", IsLoss: false, Left: null)) with { Commit = CommitDemand.Now, Retention = Countdown, Signal = true };
    }

    Effects Abandon(bool pause) => Spec.TimeToLive == TimeSpan.Zero ? Finish(SessionEnd.Cancelled, "") : pause ? Pause() : default;

    Effects Leave(SessionPhase phase) =>
        Ordered(phase, new RunOrder.Stop()) with { Signal = true, Exit = phase == SessionPhase.Taken ? SessionExit.Leave : SessionExit.Remove };

    /// <summary>What was written before a rewind is no longer its story.</summary>
    Effects TakeStored(SessionEvent.Stored stored)
    {
        bool isFirst = !_isStored;
        _isStored = true;
        if (stored.Rewinds == Rewinds)
        {
            StoredResult = stored.Result;
            Tokens.Commit(stored.End);
        }

        return new Effects { Signal = true, Retention = isFirst ? Countdown : null };
    }

    Effects Queue(ReplicaId replica)
    {
        CommitDemand commit = Phase is SessionPhase.Starting or SessionPhase.Resuming ? CommitDemand.Now : CommitDemand.None; // the call that asked for it waits
        _resuming.ForEach(operation => Operations.TryNote(operation));
        _resuming.Clear();
        Spent = Spent with { Resumptions = Spent.Resumptions + (_isResumption ? 1 : 0) };
        (Phase, Replica, Stranding) = (SessionPhase.Queued, replica, null);
        return new Effects { Commit = commit };
    }

    Effects Strand(string message)
    {
        if (Spec.TimeToLive == TimeSpan.Zero)
        {
            return Finish(SessionEnd.Failed, message);
        }

        (Phase, Stranding) = (SessionPhase.Stranded, message);
        return new Effects { Signal = true };
    }

    Effects Append(SessionEvent.Made made)
    {
        bool isFirst = Tokens.End == Spec.Prompt.Length;
        Tokens.Append(made.Position, made.Tokens);
        (Phase, _losses) = (SessionPhase.Running, 0);
        bool isRow = Tokens.End / Spec.Width > Tokens.CommittedEnd / Spec.Width;
        return new Effects { Commit = isFirst || isRow ? CommitDemand.Now : CommitDemand.Soon };
    }

    Effects End(SessionResult result)
    {
        Spent = Spent.Add(result.Timings);
        return Finish(result.End, result.Message);
    }

    Effects Replace(string reason)
    {
        if (Tokens.End == Spec.EndPosition)
        {
            return Finish(Spec.EndReached, "");
        }

        if (_losses++ >= _options.MaxResumptions)
        {
            return Finish(SessionEnd.Failed, $"lost its replica {_losses} times without a new token, the last time because: {reason}");
        }

        _isResumption = true;
        return Ordered(SessionPhase.Searching, new RunOrder.Search($"lost its replica ({reason})", IsLoss: true, Replica));
    }

    Effects Finish(SessionEnd end, string message)
    {
        Result = new SessionResult(end, message, Spent);
        return Ordered(SessionPhase.Finished, new RunOrder.Stop()) with { Commit = CommitDemand.Now, Retention = Countdown };
    }

    TimeSpan? Countdown => Viewers > 0 ? null : KeptFor;
}
