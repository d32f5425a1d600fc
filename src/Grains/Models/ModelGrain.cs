using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Models;

/// <summary>
/// Sees to it that a model has one replica per device of the silos that serve it, and knows their load. Silos that join are used
/// at the next look; replicas of a dead silo are forgotten with it.
/// </summary>
[DeviceSiloFilter, KeepAlive, GrainType("igpt.model")]
internal sealed partial class ModelGrain(ClusterView cluster, ILogger<ModelGrain> logger) : Grain, IModelGrain
{
    static readonly GrainType ReplicaType = GrainType.Create("igpt.replica");
    static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);

    readonly Dictionary<int, ReplicaStatus> _replicas = [];

    string Name => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // A predecessor may have left replicas anywhere: find them before starting others.
        List<GrainId> active = await GrainFactory.GetGrain<IManagementGrain>(0).GetActiveGrains(ReplicaType, cancellationToken);
        IEnumerable<ReplicaId> left = active.Select(grain => ReplicaId.Parse(grain.Key.ToString()!)).Where(replica => replica.Model == Name);
        await Task.WhenAll(left.Select(replica => AskAsync(replica.Index, cancellationToken)));
        await LookAsync(cancellationToken);
        this.RegisterGrainTimer(LookAsync, new GrainTimerCreationOptions(LookInterval, LookInterval) { Interleave = true });
    }

    public Task<ReplicaStatus[]> GetReplicasAsync()
    {
        if (_replicas.Count == 0 && cluster.Serving(Name).Count == 0)
        {
            DeactivateOnIdle();
            throw new IgptException(IgptErrorCode.ModelNotFound, $"no silo serves a model '{Name}'; the cluster has {Known()}");
        }

        return Task.FromResult<ReplicaStatus[]>([.. _replicas.Values.OrderBy(replica => replica.Id.Index)]);
    }

    public async Task<ModelDescription> DescribeAsync()
    {
        ReplicaStatus[] replicas = await GetReplicasAsync();
        ReplicaStatus ready = replicas.FirstOrDefault(replica => replica.State == ReplicaState.Ready) ?? throw ReplicaChoice.NoneReady(replicas, Name);
        return await GrainFactory.GetGrain<IReplicaGrain>(ready.Id.ToString()).DescribeAsync();
    }

    async Task LookAsync(CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<SiloAddress, SiloAdvertisement> serving = cluster.Serving(Name);
        var alive = serving.Keys.Select(silo => silo.ToParsableString()).ToHashSet();
        foreach (int index in _replicas.Where(replica => !alive.Contains(replica.Value.SiloAddress)).Select(replica => replica.Key).ToArray())
        {
            _replicas.Remove(index);
        }

        await Task.WhenAll(_replicas.Keys.ToArray().Select(index => AskAsync(index, cancellationToken)));
        await Task.WhenAll(Surplus(serving).Select(RetireAsync));
        int wanted = serving.Values.Sum(silo => silo.Devices.Count);
        for (int index = 0; _replicas.Count < wanted && index < wanted; index++)
        {
            // One at a time: each placement sees the one before it.
            if (!_replicas.ContainsKey(index))
            {
                await AskAsync(index, cancellationToken);
            }
        }
    }

    /// <summary>Replicas beyond one per device: a replica called while its silo was leaving comes up beside another's.</summary>
    int[] Surplus(IReadOnlyDictionary<SiloAddress, SiloAdvertisement> serving) =>
    [
        .. serving.SelectMany(silo => _replicas
            .Where(replica => replica.Value.SiloAddress == silo.Key.ToParsableString())
            .Select(replica => replica.Key)
            .Order()
            .Skip(silo.Value.Devices.Count)),
    ];

    async Task RetireAsync(int index)
    {
        _replicas.Remove(index);
        await GrainFactory.GetGrain<IReplicaGrain>(new ReplicaId(Name, index).ToString()).RetireAsync();
    }

    async Task AskAsync(int index, CancellationToken cancellationToken)
    {
        IReplicaGrain replica = GrainFactory.GetGrain<IReplicaGrain>(new ReplicaId(Name, index).ToString());
        try
        {
            _replicas[index] = await replica.GetStatusAsync().WaitAsync(AnswerTimeout, cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogNoAnswer(exception, Name, index);
            _replicas.Remove(index);
        }
    }

    string Known() => cluster.Models is { Count: > 0 } models ? string.Join(", ", models.Select(model => $"'{model}'")) : "no model at all";

    [LoggerMessage(1101, LogLevel.Warning, "Replica {Model}/{Index} gives no status")]
    partial void LogNoAnswer(Exception exception, string model, int index);
}
