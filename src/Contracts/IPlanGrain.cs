namespace IgptCluster.Contracts;

/// <summary>The only writer of the <see cref="ClusterPlan"/>, which is stored where there is a store. Its key is <see cref="Key"/>. Calls are short.</summary>
[Alias("igpt.IPlanGrain")]
public interface IPlanGrain : IGrainWithStringKey
{
    /// <summary>The key of the only one.</summary>
    public const string Key = "plan";

    /// <summary>The plan.</summary>
    [Alias("get")]
    Task<ClusterPlan> GetAsync();

    /// <summary>Says how a model is to be served.</summary>
    /// <param name="model">Model name.</param>
    /// <param name="deployment">How; null: as the silos' settings say.</param>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    [Alias("set-model")]
    Task<ClusterPlan> SetModelAsync(string model, ModelDeployment? deployment);

    /// <summary>Says that a silo is leaving.</summary>
    /// <param name="silo">Its address, as Orleans writes it.</param>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    [Alias("drain")]
    Task<ClusterPlan> DrainAsync(string silo);
}
