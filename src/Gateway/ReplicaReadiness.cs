using IgptCluster.Contracts;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Silos;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IgptCluster.Gateway;

/// <summary>Healthy once some model has a replica that takes work, until this process leaves: what a load balancer wants to know.</summary>
internal sealed class ReplicaReadiness(ModelDirectory models, SiloDrain drain) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (drain.Started.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy("this gateway leaves the cluster");
        }

        if (models.HasDevices && models.Names.Count == 0)
        {
            return HealthCheckResult.Healthy("every model has been unloaded: this gateway waits for the next");
        }

        ReplicaStatus[][] replicas = await Task.WhenAll(models.Names.Select(name => models.ReplicasAsync(name)));
        return replicas.SelectMany(replica => replica).Any(replica => replica.State == ReplicaState.Ready)
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy("no replica is ready yet");
    }
}
