namespace IgptCluster.Engine.Scheduling;

/// <summary>Where a sequence in flight stands.</summary>
enum SequenceStatus
{
    /// <summary>It has no KV slot: it has not been started, or it was preempted.</summary>
    Waiting,

    /// <summary>It holds a KV slot.</summary>
    Running,

    /// <summary>It is over, and holds nothing.</summary>
    Ended,
}
