namespace IgptCluster.Grains.Sessions.State;

/// <summary>The states of a session's state machine. Clients see fewer: <see cref="Contracts.SessionStatus"/>.</summary>
internal enum SessionPhase
{
    /// <summary>New: it is being queued on a replica for the first time.</summary>
    Starting,

    /// <summary>A replica has it and has made no token of it since.</summary>
    Queued,

    /// <summary>A replica makes its tokens.</summary>
    Running,

    /// <summary>It looks for a replica until it finds one: it has lost its own, or was rewound.</summary>
    Searching,

    /// <summary>The same, for so long that viewers are told instead of being kept waiting.</summary>
    Stranded,

    /// <summary>It was generating when the activation before this one was lost, and will look for a replica next.</summary>
    Interrupted,

    /// <summary>It holds no slot until somebody wants it to go on.</summary>
    Paused,

    /// <summary>Somebody wants it to go on: it asks for a replica once, and is paused again if none takes it.</summary>
    Resuming,

    /// <summary>It has ended.</summary>
    Finished,

    /// <summary>It is deleted, expired, or was never started for its caller. Nothing of it stays. Final.</summary>
    Forgotten,

    /// <summary>Another activation has stored it since: it goes on there. Final.</summary>
    Taken,
}
