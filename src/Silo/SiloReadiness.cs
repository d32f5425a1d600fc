using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;
using IgptCluster.Grains.Silos;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IgptCluster.Silo;

/// <summary>
/// Healthy once every model of this silo's settings that is served has a replica here or all its replicas elsewhere are ready, until the silo leaves. What the cluster was told at run time
/// and cannot be loaded here keeps no silo from serving the rest.
/// </summary>
internal sealed class SiloReadiness(IReplicaHost host, IGrainFactory grains, Grains.Placement.ClusterView cluster, SiloDrain drain) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (drain.Started.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy("this silo leaves the cluster");
        }

        foreach (string model in host.Advertisement.Models.Where(cluster.Models.Contains))
        {
            ReplicaStatus[] replicas = await grains.GetGrain<IModelGrain>(model).GetReplicasAsync().WaitAsync(cancellationToken);
            ReplicaStatus[] here = [.. replicas.Where(replica => replica.Silo == host.Advertisement.Name)];
            bool isUnloadable = cluster.Plan.Models.ContainsKey(model) && here.Length > 0 && here.All(replica => replica.State == ReplicaState.Faulted);
            if (!isUnloadable && !(here.Length > 0 ? here : replicas).Any(replica => replica.State == ReplicaState.Ready))
            {
                return HealthCheckResult.Unhealthy($"model '{model}' is not ready here yet");
            }
        }

        return HealthCheckResult.Healthy();
    }
}
