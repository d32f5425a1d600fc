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
}
