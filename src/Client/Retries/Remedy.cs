namespace IgptCluster.Client.Retries;

/// <summary>What helps after a failure.</summary>
internal enum Remedy
{
    /// <summary>Nothing: the caller must know.</summary>
    None,

    /// <summary>The same again, later: the cluster has no room.</summary>
    Wait,

    /// <summary>The same again at another gateway.</summary>
    MoveOn,
}
