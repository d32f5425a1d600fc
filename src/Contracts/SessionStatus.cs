namespace IgptCluster.Contracts;

/// <summary>Where a session stands, as clients see it.</summary>
public enum SessionStatus
{
    /// <summary>Waits for a KV slot.</summary>
    Queued,

    /// <summary>Holds a KV slot and makes tokens.</summary>
    Running,

    /// <summary>Stopped with its tokens kept; holds no slot and goes on when someone attaches.</summary>
    Paused,

    /// <summary>Ended; see the finish reason.</summary>
    Finished,
}
