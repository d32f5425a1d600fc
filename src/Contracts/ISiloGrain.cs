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
    /// <param name="force">Whether also where models, or sessions, have no other silo.</param>
    /// <exception cref="IgptException">Unsupported: there is no other silo for what it serves; StoreUnavailable.</exception>
    [Alias("drain"), ResponseTimeout("00:10:00")]
    Task DrainAsync(bool force);

    /// <summary>Puts a silo that was drained, or is being drained, into service again.</summary>
    /// <exception cref="IgptException">Draining: its process is being stopped; StoreUnavailable.</exception>
    [Alias("undrain"), AlwaysInterleave]
    Task UndrainAsync();

    /// <summary>Checks that the silo can load a model, without reading its weights.</summary>
    /// <param name="model">Model name.</param>
    /// <param name="deployment">From where and how.</param>
    /// <returns>How many more replicas of it the silo has room for.</returns>
    /// <exception cref="IgptException">InvalidArgument: why it cannot.</exception>
    [Alias("check"), AlwaysInterleave]
    Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment);

    /// <summary>Tells the silo what the cluster was just told to do.</summary>
    /// <param name="plan">The plan; one that is older than what the silo knows changes nothing.</param>
    [Alias("tell"), AlwaysInterleave]
    Task TellAsync(ClusterPlan plan);

    /// <summary>Its devices as they are now; none for a gateway.</summary>
    [Alias("devices"), AlwaysInterleave]
    Task<DeviceStatus[]> DevicesAsync();
}
