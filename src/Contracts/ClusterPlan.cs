namespace IgptCluster.Contracts;

/// <summary>What the cluster has been told to do at run time, beside what its silos' settings say.</summary>
/// <param name="Models">How models are to be served, by name; a model that is not there is served as the silos' settings say.</param>
/// <param name="Draining">Addresses of silos that are leaving, as Orleans writes them.</param>
/// <param name="Revision">Grows with every change: who hears of two knows which is newer.</param>
/// <param name="Failures">Why the latest attempt to load a model failed, by its name; null: none did.</param>
[GenerateSerializer, Immutable, Alias("igpt.cluster-plan")]
public sealed record ClusterPlan(
    [property: Id(0)] Dictionary<string, ModelDeployment> Models,
    [property: Id(1)] HashSet<string> Draining,
    [property: Id(2)] long Revision = 0,
    [property: Id(3)] Dictionary<string, LoadFailure>? Failures = null)
{
    /// <summary>Nothing has been told.</summary>
    public static ClusterPlan Empty { get; } = new([], []);
}
