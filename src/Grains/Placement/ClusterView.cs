using Orleans.Runtime.MembershipService.SiloMetadata;

namespace IgptCluster.Grains.Placement;

/// <summary>The live silos and what they advertise, as this silo sees the membership now. Any thread.</summary>
/// <param name="statuses">The membership.</param>
/// <param name="metadata">The silos' metadata.</param>
public sealed class ClusterView(ISiloStatusOracle statuses, ISiloMetadataCache metadata)
{
    /// <summary>Active silos and their advertisements.</summary>
    public IReadOnlyDictionary<SiloAddress, SiloAdvertisement> Silos =>
        statuses.GetApproximateSiloStatuses(onlyActive: true).Keys.ToDictionary(address => address, Advertisement);

    /// <summary>Every silo of the membership, dead ones included, with its status.</summary>
    public IReadOnlyDictionary<SiloAddress, SiloStatus> Statuses => statuses.GetApproximateSiloStatuses();

    /// <summary>Names of all models that some live silo serves, the default model first.</summary>
    public IReadOnlyList<string> Models =>
        [.. Silos.OrderBy(silo => silo.Key).Where(silo => silo.Value.Devices.Count > 0).SelectMany(silo => silo.Value.Models).Distinct()];

    /// <summary>What a silo advertises.</summary>
    /// <param name="silo">A silo of the membership.</param>
    public SiloAdvertisement Advertisement(SiloAddress silo) => SiloAdvertisement.From(metadata.GetSiloMetadata(silo));

    /// <summary>Live silos that can hold a replica of a model.</summary>
    /// <param name="model">Model name.</param>
    public IReadOnlyDictionary<SiloAddress, SiloAdvertisement> Serving(string model) =>
        Silos.Where(silo => silo.Value.Serves(model)).ToDictionary();
}
