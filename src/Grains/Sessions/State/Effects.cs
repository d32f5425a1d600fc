namespace IgptCluster.Grains.Sessions.State;

/// <summary>What is to be done after an event; the default is nothing.</summary>
internal readonly record struct Effects
{
    /// <summary>When the session is to be stored.</summary>
    internal CommitDemand Commit { get; init; }

    /// <summary>What its run has to do; null: what it does.</summary>
    internal RunOrder? Run { get; init; }

    /// <summary>When the cluster is to wake it; null: as before.</summary>
    internal AlarmDemand? Alarm { get; init; }

    /// <summary>How long it is kept from now on; infinite while it has viewers; null: as before.</summary>
    internal TimeSpan? Retention { get; init; }

    /// <summary>Whether those who wait for news of it look again.</summary>
    internal bool Signal { get; init; }

    /// <summary>Whether its activation ends, and what becomes of what is stored.</summary>
    internal SessionExit Exit { get; init; }
}
