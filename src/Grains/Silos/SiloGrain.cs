using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.DependencyInjection;

namespace IgptCluster.Grains.Silos;

/// <summary>One silo, as others of the cluster reach it.</summary>
[OwnSiloPlacement, GrainType("igpt.silo")]
internal sealed class SiloGrain(SiloDrain drain, ClusterView cluster, IServiceProvider services) : Grain, ISiloGrain
{
    public Task DrainAsync(bool force) => drain.DrainAsync(force);

    public Task UndrainAsync() => drain.UndrainAsync();

    public Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment) =>
        services.GetService<IReplicaHost>()?.CheckAsync(model, deployment) ?? Task.FromResult(new SiloRoom(0, "it has no device"));

    public Task<DeviceStatus[]> DevicesAsync() => services.GetService<IReplicaHost>()?.DevicesAsync() ?? Task.FromResult<DeviceStatus[]>([]);

    public Task TellAsync(ClusterPlan plan)
    {
        cluster.Learn(plan);
        return Task.CompletedTask;
    }
}
