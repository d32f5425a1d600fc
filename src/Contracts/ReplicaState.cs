namespace IgptCluster.Contracts;

/// <summary>Whether a replica can take work.</summary>
public enum ReplicaState
{
    /// <summary>Weights are being loaded.</summary>
    Loading,

    /// <summary>Takes work.</summary>
    Ready,

    /// <summary>Finishes what it has and takes nothing new.</summary>
    Draining,

    /// <summary>Loading or the device failed.</summary>
    Faulted,

    /// <summary>Nobody has started it, or not since it was lost.</summary>
    Absent,
}
