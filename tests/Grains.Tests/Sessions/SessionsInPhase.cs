using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.State;

namespace IgptCluster.Grains.Tests.Sessions;

/// <summary>Sessions in each phase, made by the events that lead there.</summary>
internal static class SessionsInPhase
{
    public static readonly ReplicaId Replica = new("toy", 0);
    public static readonly Guid Attempt = Guid.Parse("6a4e4d6c-3bb3-4d37-9d1a-5d5c1a0c7f11");
    public static readonly SessionTimings NoTime = new(default, default, default, default, 0);

    public static GenerationSpec Spec { get; } = SessionCalls.Spec with { TimeToLive = TimeSpan.FromMinutes(5) };

    public static int TokenCount => Spec.EndPosition - Spec.Prompt.Length;

    /// <summary>A session in a phase, stored unless it is starting; null: none can be there.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="spec">What it generates.</param>
    /// <param name="tokens">How many tokens it has made where it has made any.</param>
    /// <param name="options">How long it is kept.</param>
    public static SessionState? In(SessionPhase phase, GenerationSpec spec, int tokens = 5, SessionOptions? options = null)
    {
        options ??= new SessionOptions();
        var begun = new SessionRecord { Spec = spec, Attempt = Attempt };
        if (phase == SessionPhase.Interrupted)
        {
            return SessionState.Restore(begun with { Tokens = SessionRecord.Pack(new int[tokens]) }, options);
        }

        SessionState session = SessionState.New(begun, options);
        session.Apply(new SessionEvent.Started(new RunOrder.On(Replica)));
        if (phase == SessionPhase.Starting)
        {
            return session;
        }

        session.Apply(new SessionEvent.Placed(session.Run, Replica));
        session.Apply(session.AsStored());
        if (phase == SessionPhase.Queued)
        {
            return session;
        }

        session.Apply(new SessionEvent.Made(session.Run, session.Tokens.End, new int[tokens]));
        session.Apply(session.AsStored());
        SessionEvent[] way = phase switch
        {
            SessionPhase.Searching => [new SessionEvent.Lost(session.Run, "why")],
            SessionPhase.Stranded => [new SessionEvent.Lost(session.Run, "why"), new SessionEvent.SearchedInVain(session.Run + 1, "why")],
            SessionPhase.Paused => [new SessionEvent.Paused("")],
            SessionPhase.Resuming => [new SessionEvent.Paused(""), new SessionEvent.Resumed("")],
            SessionPhase.Finished => [new SessionEvent.Ended(session.Run, new SessionResult(SessionEnd.Completed, "", NoTime))],
            _ => [],
        };
        foreach (SessionEvent happened in way)
        {
            session.Apply(happened);
        }

        session.Apply(session.AsStored());
        return session.Phase == phase ? session : null;
    }
}
