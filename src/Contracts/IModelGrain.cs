namespace IgptCluster.Contracts;

/// <summary>One model of the cluster: sees to its replicas and knows their load. The key is the model's name.</summary>
[Alias("igpt.IModelGrain")]
public interface IModelGrain : IGrainWithStringKey
{
    /// <summary>The model and its replicas' load, at most a second old.</summary>
    /// <exception cref="IgptException">ModelNotFound if no silo serves a model of this name.</exception>
    [Alias("snapshot")]
    Task<ModelSnapshot> GetSnapshotAsync();
}
