namespace IgptCluster.Contracts;

/// <summary>One model of the cluster: sees to its replicas and knows their load. The key is the model's name.</summary>
[Alias("igpt.IModelGrain")]
public interface IModelGrain : IGrainWithStringKey
{
    /// <summary>Load of every replica that answers, loading ones included, at most about a second old.</summary>
    /// <exception cref="IgptException">ModelNotFound if no silo serves a model of this name.</exception>
    [Alias("replicas")]
    Task<ReplicaStatus[]> GetReplicasAsync();

    /// <summary>The model as its replicas loaded it.</summary>
    /// <exception cref="IgptException">ModelNotFound; NoReplica until a replica has loaded it.</exception>
    [Alias("describe")]
    Task<ModelDescription> DescribeAsync();
}
