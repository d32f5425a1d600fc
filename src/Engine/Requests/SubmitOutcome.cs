namespace IgptCluster.Engine.Requests;

/// <summary>Whether the engine took a request.</summary>
public enum SubmitOutcome
{
    /// <summary>It is queued.</summary>
    Accepted,

    /// <summary>As many sequences are in flight as slots and queue hold.</summary>
    QueueFull,

    /// <summary>The engine finishes what it has and takes no more.</summary>
    Draining,

    /// <summary>The engine is not running: not started, failed (<see cref="EngineStatus.Fault"/>) or disposed.</summary>
    Stopped,
}
