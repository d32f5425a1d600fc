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
    /// <param name="failure">Why an attempt to serve it otherwise has failed; null: none has.</param>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    [Alias("set-model")]
    Task<ClusterPlan> SetModelAsync(string model, ModelDeployment? deployment, LoadFailure? failure = null);

    /// <summary>Says that a silo with devices is leaving.</summary>
    /// <param name="silo">Its address, as Orleans writes it.</param>
    /// <param name="force">Whether also where models, or sessions, have no other silo.</param>
    /// <exception cref="IgptException">StoreUnavailable; Unsupported: there is no other silo for what it serves.</exception>
    [Alias("drain")]
    Task<ClusterPlan> DrainAsync(string silo, bool force);

    /// <summary>Says that a silo that was leaving stays.</summary>
    /// <param name="silo">Its address, as Orleans writes it.</param>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    [Alias("undrain")]
    Task<ClusterPlan> UndrainAsync(string silo);
}
