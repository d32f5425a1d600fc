using System.Collections.Concurrent;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Imaging.Processing;

namespace IgptCluster.Gateway.Models;

/// <summary>The cluster's models as this gateway knows them: descriptions per version of weights and heads, replicas' load for a quarter of a second. Any thread.</summary>
internal sealed class ModelDirectory(IGrainFactory grains, ClusterView cluster, TimeProvider time)
{
    static readonly TimeSpan LoadAge = TimeSpan.FromMilliseconds(250);

    readonly ConcurrentDictionary<string, (long ReadAt, ReplicaStatus[] Replicas)> _loads = new();
    readonly ConcurrentDictionary<string, ServedModel> _models = new();

    /// <summary>Names of all models, the default first.</summary>
    public IReadOnlyList<string> Names => cluster.Models;

    /// <summary>The model of a name; empty means the default.</summary>
    /// <param name="name">What the client asked for.</param>
    /// <param name="isFresh">Whether heads that were put or deleted just now, perhaps through another gateway, must be seen.</param>
    /// <exception cref="IgptException">ModelNotFound, NoReplica.</exception>
    public async Task<ServedModel> GetAsync(string name, bool isFresh = false)
    {
        string known = Resolve(name);
        ReplicaStatus[] replicas = await ReplicasAsync(known, isFresh);
        ReplicaStatus ready = ReplicaChoice.Roomiest(replicas) ?? throw ReplicaChoice.NoneReady(replicas, known);
        if (_models.TryGetValue(known, out ServedModel? served) && served.Description.Version == ready.ModelVersion && served.Description.HeadsVersion == ready.HeadsVersion)
        {
            return served;
        }

        ModelDescription description = await Passing.OutlastAsync(grains.GetGrain<IModelGrain>(known).DescribeAsync, time);
        ImageProcessor? processor = description.PreprocessorJson.Length > 0 ? ImageProcessor.Parse(description.PreprocessorJson) : null;
        return _models[known] = new ServedModel(description, processor);
    }

    /// <summary>Something of each model; one that is unloaded meanwhile is left out.</summary>
    /// <param name="ask">Asks for a model of a name.</param>
    /// <exception cref="IgptException">NoReplica.</exception>
    public async Task<IReadOnlyList<T>> OfEachAsync<T>(Func<string, Task<T>> ask)
        where T : class
    {
        T?[] told = await Task.WhenAll(Names.Select(AskAsync));
        return [.. told.OfType<T>()];

        async Task<T?> AskAsync(string name)
        {
            try
            {
                return await ask(name);
            }
            catch (IgptException gone) when (gone.Code == IgptErrorCode.ModelNotFound)
            {
                return null;
            }
        }
    }

    /// <summary>The replica for a new request: the one with more room of two picked at random.</summary>
    /// <exception cref="IgptException">ModelNotFound, NoReplica.</exception>
    public async Task<ReplicaId> ChooseReplicaAsync(string model)
    {
        ReplicaStatus[] replicas = await ReplicasAsync(model);
        return await ReplicaChoice.ChooseAsync(grains, replicas, Random.Shared, time) ?? throw ReplicaChoice.NoneReady(replicas, model);
    }

    /// <summary>Load of a model's replicas.</summary>
    /// <param name="model">Model name.</param>
    /// <param name="isFresh">Whether to ask the model's grain although it has been asked a moment ago.</param>
    /// <exception cref="IgptException">ModelNotFound, NoReplica.</exception>
    public async Task<ReplicaStatus[]> ReplicasAsync(string model, bool isFresh = false)
    {
        if (!isFresh && _loads.TryGetValue(model, out var load) && time.GetElapsedTime(load.ReadAt) < LoadAge)
        {
            return load.Replicas;
        }

        RequireDevices();
        if (!Names.Contains(model))
        {
            _loads.TryRemove(model, out _);
            _models.TryRemove(model, out _);
            string why = cluster.LoadFailure(model) is { } failure ? $". It could not be loaded from {Echo.Quoted(failure.Source)}: {failure.Message}" : "";
            throw new IgptException(IgptErrorCode.ModelNotFound, $"no model {Echo.Quoted(model)}; the cluster has {Echo.List([.. Names])}{why}")
            {
                Field = "model",
            };
        }

        ReplicaStatus[] replicas = await Passing.OutlastAsync(grains.GetGrain<IModelGrain>(model).GetReplicasAsync, time);
        _loads[model] = (time.GetTimestamp(), replicas);
        return replicas;
    }

    /// <summary>Holds once a silo with a device has joined; before that models and sessions are unknown because their places are.</summary>
    /// <exception cref="IgptException">NoReplica.</exception>
    public void RequireDevices()
    {
        if (!HasDevices)
        {
            throw NoDevices();
        }
    }

    /// <summary>Whether a silo with a device has joined.</summary>
    public bool HasDevices => cluster.Silos.Values.Any(silo => silo.Devices.Count > 0);

    /// <summary>Models that could not be loaded lately, and why.</summary>
    public IReadOnlyDictionary<string, LoadFailure> LoadFailures => cluster.Plan.Failures ?? [];

    /// <summary>Whether a version of a model was loaded that is not complete yet.</summary>
    /// <param name="model">Model name.</param>
    public bool IsLoading(string model) => cluster.Deployment(model).IsOnTrial;

    string Resolve(string name)
    {
        RequireDevices();
        return name.Length > 0 ? name : Names is [string first, ..] ? first : throw new IgptException(
            IgptErrorCode.ModelNotFound, "every model of the cluster has been unloaded: load one (igpt models load)")
        { Field = "model" };
    }

    static IgptException NoDevices() => new(IgptErrorCode.NoReplica, "the cluster serves no model: no silo with a device has joined yet")
    {
        RetryAfter = TimeSpan.FromSeconds(2),
    };
}
