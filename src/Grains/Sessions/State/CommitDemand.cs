namespace IgptCluster.Grains.Sessions.State;

/// <summary>When a session is to be stored.</summary>
internal enum CommitDemand
{
    /// <summary>Not because of this event.</summary>
    None,

    /// <summary>Soon, within <see cref="SessionOptions.CommitInterval"/>, together with what comes until then.</summary>
    Soon,

    /// <summary>At once.</summary>
    Now,
}
