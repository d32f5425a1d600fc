using IgptCluster.Contracts;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace IgptCluster.Grains.Placement;

/// <summary>The live silos, what they advertise, and what the cluster was told to do, as this silo sees it: the membership now, the plan a second ago at most. Any thread.</summary>
/// <param name="statuses">The membership.</param>
/// <param name="metadata">The silos' metadata.</param>
public sealed class ClusterView(ISiloStatusOracle statuses, ISiloMetadataCache metadata)
{
    ClusterPlan _plan = ClusterPlan.Empty;

    /// <summary>What the cluster was told to do.</summary>
    public ClusterPlan Plan => Volatile.Read(ref _plan);

    /// <summary>Active silos and their advertisements.</summary>
    public IReadOnlyDictionary<SiloAddress, SiloAdvertisement> Silos =>
        statuses.GetApproximateSiloStatuses(onlyActive: true).Keys.ToDictionary(address => address, Advertisement);

    /// <summary>Every silo of the membership, dead ones included, with its status.</summary>
    public IReadOnlyDictionary<SiloAddress, SiloStatus> Statuses => statuses.GetApproximateSiloStatuses();

    /// <summary>Names of all models that are served, the default model first: those of the silos' settings, then those that were loaded.</summary>
    public IReadOnlyList<string> Models
    {
        get
        {
            KeyValuePair<SiloAddress, SiloAdvertisement>[] devices = [.. Silos.OrderBy(silo => silo.Key).Where(silo => silo.Value.Devices.Count > 0)];
            ClusterPlan plan = Plan;
            IEnumerable<string> loaded = devices.Length > 0 ? plan.Models.Keys.Where(model => plan.Models[model].Source.Length > 0).Order(StringComparer.Ordinal) : [];
            return [.. devices.SelectMany(silo => silo.Value.Models).Concat(loaded).Distinct().Where(model => Deployment(model).IsServed)];
        }
    }

    /// <summary>Hears of a plan; the newest one that was heard of holds, in whatever order they come.</summary>
    /// <param name="plan">A plan.</param>
    internal void Learn(ClusterPlan plan)
    {
        ClusterPlan known;
        do
        {
            known = Plan;
        }
        while (plan.Revision >= known.Revision && !ReferenceEquals(Interlocked.CompareExchange(ref _plan, plan, known), known));
    }

    /// <summary>What a silo advertises.</summary>
    /// <param name="silo">A silo of the membership.</param>
    public SiloAdvertisement Advertisement(SiloAddress silo) => SiloAdvertisement.From(metadata.GetSiloMetadata(silo));

    /// <summary>Whether a silo is leaving.</summary>
    /// <param name="silo">A silo of the membership.</param>
    public bool IsDraining(SiloAddress silo) => Plan.Draining.Contains(silo.ToParsableString());

    /// <summary>Why the latest attempt to load a model failed; null: it did not.</summary>
    /// <param name="model">Model name.</param>
    public LoadFailure? LoadFailure(string model) => Plan.Failures?.GetValueOrDefault(model);

    /// <summary>How a model is to be served.</summary>
    /// <param name="model">Model name.</param>
    public ModelDeployment Deployment(string model) => Plan.Models.GetValueOrDefault(model) ?? new ModelDeployment();

    /// <summary>Live silos that can hold a replica of a model, and are not leaving.</summary>
    /// <param name="model">Model name.</param>
    public IReadOnlyDictionary<SiloAddress, SiloAdvertisement> Serving(string model) =>
        Silos.Where(silo => CanServe(silo.Value, model) && !IsDraining(silo.Key)).ToDictionary();

    /// <summary>Whether a silo can hold a replica of a model: it has a device, and the model's folder by its own settings, or was told where the folder lies.</summary>
    /// <param name="silo">What it advertises.</param>
    /// <param name="model">Model name.</param>
    public bool CanServe(SiloAdvertisement silo, string model) => Deployment(model).Source.Length > 0 ? silo.Devices.Count > 0 : silo.Serves(model);
}
