using IgptCluster.Contracts;
using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace IgptCluster.Grains.Placement;

/// <summary>Keeps a grain on silos with devices, and a replica on silos that have its model's weights, and either off silos that are leaving: a gateway holds no state.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class DeviceSiloFilterAttribute() : PlacementFilterAttribute(new DeviceSiloFilterStrategy());

/// <summary>Names the filter in the grain's properties.</summary>
public sealed class DeviceSiloFilterStrategy() : PlacementFilterStrategy(order: 0)
{
    /// <inheritdoc/>
    public override void AdditionalInitialize(GrainProperties properties)
    {
    }

    /// <inheritdoc/>
    protected override IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
        IServiceProvider services, Type grainClass, GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) => [];
}

/// <summary>Applies <see cref="DeviceSiloFilterAttribute"/> by the silos' advertisements. Registered on every silo, since the caller's silo places.</summary>
/// <param name="cluster">The live silos.</param>
internal sealed class DeviceSiloFilter(ClusterView cluster) : IPlacementFilterDirector
{
    static readonly GrainType ReplicaType = GrainType.Create("igpt.replica");

    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        // By its type, not by the interface that is called: streams are read through another one.
        if (target.GrainIdentity.Type == ReplicaType)
        {
            string model = ReplicaId.Parse(target.GrainIdentity.Key.ToString()!).Model;
            return silos.Where(silo => cluster.CanServe(cluster.Advertisement(silo), model) && !cluster.IsDraining(silo));
        }

        // What must be somewhere stays on silos that are leaving as long as there is no other.
        SiloAddress[] fitting = [.. silos.Where(silo => cluster.Advertisement(silo).Devices.Count > 0)];
        SiloAddress[] staying = [.. fitting.Where(silo => !cluster.IsDraining(silo))];
        return staying.Length > 0 ? staying : fitting;
    }
}
