using Orleans.Concurrency;

namespace IgptCluster.Contracts;

/// <summary>One silo. The key is its address, as Orleans writes it; the grain lives there.</summary>
[Alias("igpt.ISiloGrain")]
public interface ISiloGrain : IGrainWithStringKey
{
    /// <summary>
    /// Takes the silo out of service: it takes no new work, its generations go on elsewhere, its grains come up elsewhere. Completes when nothing is left on it, or
    /// when the silo's time for that is over. The process stays.
    /// </summary>
    [Alias("drain"), ResponseTimeout("00:10:00")]
    Task DrainAsync();

    /// <summary>Tells the silo what the cluster was just told to do.</summary>
    /// <param name="plan">The plan; one that is older than what the silo knows changes nothing.</param>
    [Alias("tell"), AlwaysInterleave]
    Task TellAsync(ClusterPlan plan);
}
