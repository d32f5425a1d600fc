using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions.State;

/// <summary>Something that happens to a session. <see cref="SessionState.Apply"/> decides what it changes.</summary>
internal abstract record SessionEvent
{
    SessionEvent()
    {
    }

    /// <summary>Its first call asks for it.</summary>
    /// <param name="Order">Where it is to run.</param>
    internal sealed record Started(RunOrder Order) : SessionEvent;

    /// <summary>Another attempt to start it finds it started.</summary>
    /// <param name="Attempt">The attempt: the session is that one's from now on.</param>
    internal sealed record Joined(Guid Attempt) : SessionEvent;

    /// <summary>The caller of an attempt to start it was told that it failed.</summary>
    /// <param name="Attempt">The attempt.</param>
    internal sealed record Withdrawn(Guid Attempt) : SessionEvent;

    /// <summary>It was read from storage, or handed over by another silo.</summary>
    /// <param name="Left">How long it is kept without viewers; null: as long as a session without viewers usually is.</param>
    internal sealed record Restored(TimeSpan? Left) : SessionEvent;

    /// <summary>The call that brought the restored session into memory has had its turn.</summary>
    internal sealed record Awoken : SessionEvent;

    /// <summary>A viewer comes.</summary>
    internal sealed record ViewerCame : SessionEvent;

    /// <summary>A viewer leaves.</summary>
    internal sealed record ViewerLeft : SessionEvent;

    /// <summary>A client pauses it.</summary>
    /// <param name="Operation">Operation id.</param>
    internal sealed record Paused(string Operation) : SessionEvent;

    /// <summary>A client resumes it.</summary>
    /// <param name="Operation">Operation id. It counts only once a replica has taken the session.</param>
    internal sealed record Resumed(string Operation) : SessionEvent;

    /// <summary>A client cancels it.</summary>
    /// <param name="Operation">Operation id.</param>
    internal sealed record Cancelled(string Operation) : SessionEvent;

    /// <summary>A client drops its tail.</summary>
    /// <param name="Branch">Where, and how it goes on; it has been checked.</param>
    internal sealed record Rewound(SessionBranch Branch) : SessionEvent;

    /// <summary>Its creator has left.</summary>
    /// <param name="Pause">Whether it pauses if it has a time to live.</param>
    internal sealed record Abandoned(bool Pause) : SessionEvent;

    /// <summary>A client deletes it.</summary>
    internal sealed record Deleted : SessionEvent;

    /// <summary>Nobody has watched it for as long as it is kept.</summary>
    internal sealed record Expired : SessionEvent;

    /// <summary>A write has succeeded.</summary>
    /// <param name="End">Raster position behind the last token written.</param>
    /// <param name="Result">How it had ended; null: it had not.</param>
    /// <param name="Rewinds">How often it had been rewound.</param>
    internal sealed record Stored(int End, SessionResult? Result, int Rewinds) : SessionEvent;

    /// <summary>Its first write has failed.</summary>
    internal sealed record NotStored : SessionEvent;

    /// <summary>Another activation has stored it.</summary>
    internal sealed record Taken : SessionEvent;

    /// <summary>An event of a run. Those of an earlier run than the latest change nothing.</summary>
    /// <param name="Run"><see cref="SessionState.Run"/> when the run was ordered.</param>
    internal abstract record OfRun(int Run) : SessionEvent;

    /// <summary>A replica has queued it.</summary>
    /// <param name="Run">Which run.</param>
    /// <param name="Replica">The replica.</param>
    internal sealed record Placed(int Run, ReplicaId Replica) : OfRun(Run);

    /// <summary>No replica has taken it, and its run asks no more.</summary>
    /// <param name="Run">Which run.</param>
    internal sealed record Refused(int Run) : OfRun(Run);

    /// <summary>The run has looked for a replica for a long time, and goes on looking.</summary>
    /// <param name="Run">Which run.</param>
    /// <param name="Message">Why it looks, and why none has taken the session.</param>
    internal sealed record SearchedInVain(int Run, string Message) : OfRun(Run);

    /// <summary>The replica has made tokens.</summary>
    /// <param name="Run">Which run.</param>
    /// <param name="Position">Raster position of the first.</param>
    /// <param name="Tokens">The tokens.</param>
    internal sealed record Made(int Run, int Position, int[] Tokens) : OfRun(Run);

    /// <summary>The replica has ended the generation.</summary>
    /// <param name="Run">Which run.</param>
    /// <param name="Result">How, with the timings of this run alone.</param>
    internal sealed record Ended(int Run, SessionResult Result) : OfRun(Run);

    /// <summary>The replica is lost.</summary>
    /// <param name="Run">Which run.</param>
    /// <param name="Reason">Why.</param>
    internal sealed record Lost(int Run, string Reason) : OfRun(Run);
}
