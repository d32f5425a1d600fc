using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;

namespace IgptCluster.Grains.Silos;

/// <summary>One silo, as others of the cluster reach it.</summary>
[OwnSiloPlacement, GrainType("igpt.silo")]
internal sealed class SiloGrain(SiloDrain drain, ClusterView cluster) : Grain, ISiloGrain
{
    public Task DrainAsync() => drain.DrainAsync();

    public Task TellAsync(ClusterPlan plan)
    {
        cluster.Learn(plan);
        return Task.CompletedTask;
    }
}
