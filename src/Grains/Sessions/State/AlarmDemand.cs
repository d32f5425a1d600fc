namespace IgptCluster.Grains.Sessions.State;

/// <summary>When the cluster wakes a session that nobody calls.</summary>
internal enum AlarmDemand
{
    /// <summary>Never: it has no time to live, or is not stored yet.</summary>
    None,

    /// <summary>Each minute, so that the loss of its silo holds it up no longer. It stays in memory.</summary>
    EachMinute,

    /// <summary>When it expires. It may leave the memory until then.</summary>
    AtExpiry,
}
