namespace IgptCluster.Grains.Sessions.State;

/// <summary>Whether a session's activation ends.</summary>
internal enum SessionExit
{
    /// <summary>It stays.</summary>
    Stay,

    /// <summary>It ends; another activation has what is stored.</summary>
    Leave,

    /// <summary>It ends once what is stored of the session is removed.</summary>
    Remove,
}
