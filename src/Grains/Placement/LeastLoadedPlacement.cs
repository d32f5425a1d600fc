using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace IgptCluster.Grains.Placement;

/// <summary>Places a replica on the fitting silo with the fewest replicas per device.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class LeastLoadedPlacementAttribute() : PlacementAttribute(new LeastLoadedPlacement());

/// <summary>Names the strategy in the grain's properties.</summary>
[GenerateSerializer, Immutable, Alias("igpt.least-loaded-placement")]
public sealed class LeastLoadedPlacement : PlacementStrategy;

/// <summary>Carries out <see cref="LeastLoadedPlacement"/>. Placing a replica is rare, so it asks the silos what they hold.</summary>
/// <param name="cluster">The live silos.</param>
/// <param name="grains">Reaches Orleans' management grain.</param>
internal sealed class LeastLoadedDirector(ClusterView cluster, IGrainFactory grains) : IPlacementDirector
{
    public async Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        // Filters (device, model) have been applied to this list already.
        SiloAddress[] fitting = context.GetCompatibleSilos(target);
        if (IPlacementDirector.GetPlacementHint(target.RequestContextData, fitting) is { } hinted)
        {
            return hinted;
        }

        if (fitting.Length == 1)
        {
            return fitting[0];
        }

        GrainType replicas = target.GrainIdentity.Type;
        DetailedGrainStatistic[] held = await grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(hostsIds: fitting);
        var perSilo = held.Where(grain => grain.GrainId.Type == replicas).CountBy(grain => grain.SiloAddress).ToDictionary();
        return fitting
            .OrderBy(silo => perSilo.GetValueOrDefault(silo) / (double)Math.Max(1, cluster.Advertisement(silo).Devices.Count))
            .ThenBy(silo => silo)
            .First();
    }
}
