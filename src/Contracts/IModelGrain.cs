using Orleans.Concurrency;

namespace IgptCluster.Contracts;

/// <summary>
/// One model of the cluster: sees to its replicas, knows their load, and holds the classifier heads that clients put. The key is the model's name.
/// Heads change one at a time; looking never waits for that.
/// </summary>
[Alias("igpt.IModelGrain")]
public interface IModelGrain : IGrainWithStringKey
{
    /// <summary>Load of every replica that answers, loading ones included, at most about a second old.</summary>
    /// <exception cref="IgptException">ModelNotFound if no silo serves a model of this name.</exception>
    [Alias("replicas"), AlwaysInterleave]
    Task<ReplicaStatus[]> GetReplicasAsync();

    /// <summary>The model as its replicas loaded it.</summary>
    /// <exception cref="IgptException">ModelNotFound; NoReplica until a replica has loaded it.</exception>
    [Alias("describe"), AlwaysInterleave]
    Task<ModelDescription> DescribeAsync();

    /// <summary>
    /// Adds a classifier head, or replaces the one of that name. Once this returns every replica that takes requests has it, and others take
    /// none before they do.
    /// </summary>
    /// <param name="head">The head.</param>
    /// <returns>What clients see of it.</returns>
    /// <exception cref="IgptException">
    /// ModelNotFound; NoReplica; InvalidArgument; HeadReadOnly if the checkpoint has a head of that name; Unsupported if the model has all the heads it can hold.
    /// </exception>
    [Alias("put-head")]
    Task<HeadDescription> PutHeadAsync(HeadSpec head);

    /// <summary>Removes a classifier head. Once this returns no replica that takes requests has it.</summary>
    /// <param name="name">The head's name.</param>
    /// <exception cref="IgptException">ModelNotFound; NoReplica; HeadNotFound; HeadReadOnly if it belongs to the checkpoint.</exception>
    [Alias("delete-head")]
    Task DeleteHeadAsync(string name);

    /// <summary>
    /// Serves the model, or another version of it: traffic moves when that is loaded on as many replicas as wanted; the old ones finish what they have. If a replica cannot be loaded, what
    /// was served before is served on, and <see cref="ClusterPlan.Failures"/> tells why.
    /// </summary>
    /// <param name="deployment">From where and how; its revision is not looked at.</param>
    /// <exception cref="IgptException">InvalidArgument if a silo cannot load it; Unsupported if devices have no room for it; NoReplica if no silo has a device; StoreUnavailable.</exception>
    [Alias("load")]
    Task LoadAsync(ModelDeployment deployment);

    /// <summary>Stops serving the model: its replicas finish what they have.</summary>
    /// <exception cref="IgptException">ModelNotFound, StoreUnavailable.</exception>
    [Alias("unload")]
    Task UnloadAsync();

    /// <summary>Changes the number of replicas.</summary>
    /// <param name="replicas">At least 1; 0: one for each device.</param>
    /// <exception cref="IgptException">ModelNotFound; Unsupported if devices have no room for as many; StoreUnavailable.</exception>
    [Alias("scale")]
    Task ScaleAsync(int replicas);
}
