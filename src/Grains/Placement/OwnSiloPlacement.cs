using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace IgptCluster.Grains.Placement;

/// <summary>Places a grain on the silo whose address is its key.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class OwnSiloPlacementAttribute() : PlacementAttribute(new OwnSiloPlacement());

/// <summary>Names the strategy in the grain's properties.</summary>
[GenerateSerializer, Immutable, Alias("igpt.own-silo-placement")]
public sealed class OwnSiloPlacement : PlacementStrategy;

/// <summary>Carries out <see cref="OwnSiloPlacement"/>.</summary>
internal sealed class OwnSiloDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var own = SiloAddress.FromParsableString(target.GrainIdentity.Key.ToString()!);
        return context.GetCompatibleSilos(target).Contains(own) ? Task.FromResult(own) : throw new SiloUnavailableException($"silo {own} has left the cluster");
    }
}
