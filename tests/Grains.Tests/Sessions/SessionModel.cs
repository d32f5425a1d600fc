using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.State;

namespace IgptCluster.Grains.Tests.Sessions;

/// <summary>Carries a session's effects out as its grain does, on a run, a store, an alarm and a clock that are values, and checks after each event what must always hold.</summary>
internal sealed class SessionModel
{
    readonly SessionState _session;
    bool _runs; // what the latest order to the run said
    AlarmDemand _alarm;
    TimeSpan? _kept;
    bool _wantsWrite;
    (SessionRecord Record, SessionEvent.Stored Event)? _writing;
    SessionRecord? _stored;

    public SessionModel(TimeSpan timeToLive, SessionOptions options)
    {
        _session = SessionState.New(new SessionRecord { Spec = SessionsInPhase.Spec with { TimeToLive = timeToLive }, Attempt = SessionsInPhase.Attempt }, options);
        Apply(new SessionEvent.Started(new RunOrder.On(SessionsInPhase.Replica)));
    }

    /// <summary>How far it came.</summary>
    public SessionPhase Phase => _session.Phase;

    /// <summary>One step of somebody: a client, the run, the store, the clock.</summary>
    /// <param name="step">Which event.</param>
    /// <param name="detail">Its details.</param>
    public void Take(int step, int detail)
    {
        string operation = detail < 4 ? "" : $"operation {detail}";
        int run = detail == 7 ? _session.Run - 1 : _session.Run; // late
        int left = _session.Spec.EndPosition - _session.Tokens.End;
        switch (step)
        {
            case 0:
                Apply(new SessionEvent.ViewerCame());
                break;
            case 1 when _session.Viewers > 0:
                Apply(new SessionEvent.ViewerLeft());
                break;
            case 2:
                Apply(new SessionEvent.Paused(operation));
                break;
            case 3:
                Apply(new SessionEvent.Resumed(operation));
                break;
            case 4 when detail < 2:
                Apply(new SessionEvent.Cancelled(operation));
                break;
            case 5:
                int first = _session.Spec.Prompt.Length;
                int last = Math.Min(_session.Tokens.CommittedEnd, _session.Spec.EndPosition - 1);
                Apply(new SessionEvent.Rewound(new SessionBranch { Position = first + ((last - first) * detail / 7), Operation = operation }));
                break;
            case 6:
                Apply(new SessionEvent.Abandoned(detail % 2 == 0));
                break;
            case 7 when detail == 0:
                Apply(new SessionEvent.Deleted());
                break;
            case 8 when _kept is { } kept && kept != Timeout.InfiniteTimeSpan:
                Apply(new SessionEvent.Expired());
                break;
            case 9:
                Apply(new SessionEvent.Joined(detail < 4 ? SessionsInPhase.Attempt : Guid.NewGuid()));
                break;
            case 10:
                Apply(new SessionEvent.Withdrawn(Guid.NewGuid()));
                break;
            case 11 or 12 or 13:
                Apply(new SessionEvent.Placed(run, SessionsInPhase.Replica));
                break;
            case 14:
                Apply(new SessionEvent.Refused(run));
                break;
            case 15 or 16 or 17 when left > 0 || run != _session.Run:
                Apply(new SessionEvent.Made(run, _session.Tokens.End, new int[Math.Min(left, 1 + (detail * 2))]));
                break;
            case 18:
                Apply(new SessionEvent.Lost(run, "why"));
                break;
            case 19 when left == 0:
                Apply(new SessionEvent.Ended(run, new SessionResult(SessionEnd.Completed, "", SessionsInPhase.NoTime)));
                break;
            case 20:
                Apply(new SessionEvent.SearchedInVain(run, "why"));
                break;
            case 21 when _stored is null && _writing is not null && detail == 0:
                _writing = null;
                Apply(new SessionEvent.NotStored());
                break;
            case 22 when detail == 0:
                Apply(new SessionEvent.Taken());
                break;
            case >= 23:
                Write();
                break;
        }
    }

    void Write()
    {
        if (_writing is { } written)
        {
            (_writing, _stored) = (null, written.Record);
            Apply(written.Event);
        }
        else if (_wantsWrite)
        {
            (_wantsWrite, _writing) = (false, (_session.ToRecord(null), _session.AsStored()));
        }
    }

    void Apply(SessionEvent happened)
    {
        bool isLate = happened is SessionEvent.OfRun { Run: var run } && run != _session.Run;
        bool isFinal = _session.Phase is SessionPhase.Forgotten or SessionPhase.Taken;
        SessionRecord before = _session.ToRecord(null);
        (SessionPhase phase, int runs) = (_session.Phase, _session.Run);
        Effects effects = _session.Apply(happened);
        SessionRecord after = _session.ToRecord(null);
        _runs = effects.Run is null ? _runs : effects.Run is not RunOrder.Stop;
        _alarm = effects.Alarm ?? _alarm;
        _kept = effects.Retention ?? _kept;
        _wantsWrite |= effects.Commit != CommitDemand.None;
        if (isLate || isFinal)
        {
            Assert.Equal((default, phase), (effects, _session.Phase));
        }

        // Each order begins a run of its own, so that what earlier ones report is known to be late.
        Assert.Equal(runs + (effects.Run is null ? 0 : 1), _session.Run);

        // Tokens are lost by rewinding alone, and an end is final without it.
        Assert.True(happened is SessionEvent.Rewound || after.Unpack().AsSpan().StartsWith(before.Unpack()));
        Assert.True(happened is SessionEvent.Rewound || before.Result is null || before.Result == after.Result);

        // What a client is told is stored before: its call waits for what is stored at once.
        bool isNews = (before.IsPaused, before.Result, before.Rewinds) != (after.IsPaused, after.Result, after.Rewinds) && _session.Phase != SessionPhase.Forgotten && _session.Phase != SessionPhase.Taken;
        Assert.True(!isNews || effects.Commit == CommitDemand.Now, $"{happened} in {phase} is told before it is stored");
        RequireConsistent();
    }

    void RequireConsistent()
    {
        SessionPhase phase = _session.Phase;

        // What rests, has ended or is gone does not run; all else does.
        bool isActive = phase is SessionPhase.Starting or SessionPhase.Queued or SessionPhase.Running or SessionPhase.Searching or SessionPhase.Stranded or SessionPhase.Resuming;
        Assert.Equal(isActive, _runs);
        Assert.Equal(phase is SessionPhase.Queued or SessionPhase.Running, _session.Replica is not null);

        // What viewers can see is stored.
        Assert.True(_session.Tokens.CommittedEnd == _session.Spec.Prompt.Length || _stored!.Unpack().AsSpan().StartsWith(_session.Tokens.From(_session.Spec.Prompt.Length)));
        Assert.True(_session.StoredResult is null || (_stored!.Result, _stored.Rewinds) == (_session.StoredResult, _session.Rewinds));

        if (_stored is null || phase is SessionPhase.Forgotten or SessionPhase.Taken)
        {
            return;
        }

        // What is stored is woken or collected, in memory or not.
        AlarmDemand alarm = _session.Spec.TimeToLive == TimeSpan.Zero ? AlarmDemand.None
            : isActive || _session.Viewers > 0 ? AlarmDemand.EachMinute : AlarmDemand.AtExpiry;
        Assert.Equal(alarm, _alarm);
        Assert.Equal(_session.Viewers > 0, _kept == Timeout.InfiniteTimeSpan);
        Assert.NotNull(_kept);
    }
}
