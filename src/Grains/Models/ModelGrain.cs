using IgptCluster.Contracts;
using IgptCluster.Grains.Heads;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Models;

/// <summary>
/// Sees to it that a model has one replica per device of the silos that serve it, and knows their load. Silos that join are used
/// at the next look; replicas of a dead silo are forgotten with it. It also holds the heads that clients put: a replica is told of as ready
/// only once it has them all, and an activation that follows a lost one takes them from the replicas it finds.
/// </summary>
[DeviceSiloFilter, KeepAlive, GrainType("igpt.model")]
internal sealed partial class ModelGrain(ClusterView cluster, TimeProvider time, ILogger<ModelGrain> logger) : Grain, IModelGrain
{
    static readonly GrainType ReplicaType = GrainType.Create("igpt.replica");
    static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);
    static readonly TimeSpan GiveTimeout = TimeSpan.FromSeconds(10);

    readonly Dictionary<int, ReplicaStatus> _replicas = [];
    readonly HeadTable _heads = new();
    ModelDescription? _checkpoint;

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
        ReplicaStatus ready = await ReadyAsync();
        return await Replica(ready.Id.Index).DescribeAsync();
    }

    public async Task<HeadDescription> PutHeadAsync(HeadSpec head)
    {
        ModelDescription checkpoint = await CheckpointAsync();
        if (HeadRules.Violations(head, checkpoint.LayerCount, checkpoint.EmbeddingSize) is { Count: > 0 } broken)
        {
            throw new IgptException(broken);
        }

        RequireNotOwn(checkpoint, head.Name, "replaced: put yours under another name");
        RequireRoom(head);
        long revision = NextRevision();
        long created = _heads.Find(head.Name) is { Head: not null } replaced ? replaced.Created : revision;
        await GiveAsync(new HeadChange(head.Name, revision, created, head));
        LogPut(Name, head.Name, head.Layer, head.Labels.Length, revision);
        return head.ToDescription();
    }

    public async Task DeleteHeadAsync(string name)
    {
        ModelDescription checkpoint = await CheckpointAsync();
        RequireNotOwn(checkpoint, name, "deleted: take it out of the checkpoint's folder and start the silo again");
        if (_heads.Find(name) is not { Head: not null } deleted)
        {
            throw new IgptException(IgptErrorCode.HeadNotFound, $"model '{Name}' has no head '{name}': nothing was deleted") { Field = "head" };
        }

        long revision = NextRevision();
        await GiveAsync(deleted with { Revision = revision, Head = null });
        LogDeleted(Name, name, revision);
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
        await Replica(index).RetireAsync();
    }

    async Task AskAsync(int index, CancellationToken cancellationToken)
    {
        IReplicaGrain replica = Replica(index);
        try
        {
            ReplicaStatus status = await replica.GetStatusAsync().WaitAsync(AnswerTimeout, time, cancellationToken);

            // Between the last comparison and telling of the replica nothing is awaited: a head that is put meanwhile either reaches
            // the replica here or finds it among the ready ones.
            while (status.State == ReplicaState.Ready && status.HeadsVersion != _heads.Version)
            {
                status = status with { HeadsVersion = await ExchangeHeadsAsync(replica) };
            }

            _replicas[index] = status;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogNoAnswer(exception, Name, index);
            _replicas.Remove(index);
        }
    }

    /// <summary>Brings a replica's heads and these together; both have then what either had.</summary>
    async Task<string> ExchangeHeadsAsync(IReplicaGrain replica)
    {
        HeadStamp[] there = await replica.GetHeadStampsAsync();
        foreach (string name in _heads.MissingHere(there))
        {
            // Found after this grain's activation was lost, or with a silo that was away.
            if (await replica.GetHeadAsync(name) is { } change)
            {
                _heads.Apply(change);
            }
        }

        // One at a time: a message has a largest size, and a head may be near it.
        foreach (HeadChange change in _heads.MissingIn(there))
        {
            await replica.ChangeHeadAsync(change);
        }

        return await replica.CompleteHeadsAsync();
    }

    /// <summary>Makes a change and gives it to every ready replica; one that does not take it is not told of until it has caught up.</summary>
    async Task GiveAsync(HeadChange change)
    {
        _heads.Apply(change);
        int[] ready = [.. _replicas.Values.Where(replica => replica.State == ReplicaState.Ready).Select(replica => replica.Id.Index)];
        bool[] taken = await Task.WhenAll(ready.Select(index => TryGiveAsync(index, change)));
        if (!taken.Contains(true))
        {
            throw new IgptException(IgptErrorCode.NoReplica, $"no replica of model '{Name}' has taken the change of head '{change.Name}' yet: try again") { RetryAfter = LookInterval };
        }
    }

    async Task<bool> TryGiveAsync(int index, HeadChange change)
    {
        try
        {
            string version = await Replica(index).ChangeHeadAsync(change).WaitAsync(GiveTimeout, time);
            if (_replicas.TryGetValue(index, out ReplicaStatus? status))
            {
                _replicas[index] = status with { HeadsVersion = version };
            }

            return true;
        }
        catch (Exception exception)
        {
            LogNotGiven(exception, Name, index, change.Name);
            _replicas.Remove(index);
            return false;
        }
    }

    /// <summary>The model as its checkpoint is, without put heads.</summary>
    async Task<ModelDescription> CheckpointAsync()
    {
        ReplicaStatus ready = await ReadyAsync();
        if (_checkpoint?.Version == ready.ModelVersion)
        {
            return _checkpoint;
        }

        ModelDescription model = await Replica(ready.Id.Index).DescribeAsync();
        return _checkpoint = model with { Heads = [.. model.Heads.Where(head => head.IsReadOnly)] };
    }

    async Task<ReplicaStatus> ReadyAsync()
    {
        ReplicaStatus[] replicas = await GetReplicasAsync();
        return replicas.FirstOrDefault(replica => replica.State == ReplicaState.Ready) ?? throw ReplicaChoice.NoneReady(replicas, Name);
    }

    void RequireNotOwn(ModelDescription checkpoint, string name, string otherwise)
    {
        if (checkpoint.Heads.Any(own => own.Name == name))
        {
            throw new IgptException(IgptErrorCode.HeadReadOnly, $"head '{name}' belongs to model '{Name}' as its checkpoint is and cannot be {otherwise}") { Field = "head" };
        }
    }

    void RequireRoom(HeadSpec head)
    {
        HeadSpec[] others = [.. _heads.Heads.Where(put => put.Name != head.Name).Select(put => put.Head!)];
        long weights = others.Sum(other => (long)other.Weight.Length) + head.Weight.Length;
        if (others.Length >= HeadRules.MaxHeads || weights > HeadRules.MaxTotalWeights)
        {
            throw new IgptException(
                IgptErrorCode.Unsupported,
                $"model '{Name}' holds at most {HeadRules.MaxHeads:N0} put heads of {HeadRules.MaxTotalWeights:N0} weights in all; with this one {others.Length + 1:N0} and {weights:N0}: delete one first");
        }
    }

    /// <summary>
    /// Above every revision seen, and by the clock: an activation that follows a lost one does not give a revision again that its predecessor
    /// gave to a replica it has not found.
    /// </summary>
    long NextRevision() => Math.Max(_heads.Revision + 1, time.GetUtcNow().ToUnixTimeMilliseconds());

    IReplicaGrain Replica(int index) => GrainFactory.GetGrain<IReplicaGrain>(new ReplicaId(Name, index).ToString());

    string Known() => cluster.Models is { Count: > 0 } models ? string.Join(", ", models.Select(model => $"'{model}'")) : "no model at all";

    [LoggerMessage(1101, LogLevel.Warning, "Replica {Model}/{Index} gives no status")]
    partial void LogNoAnswer(Exception exception, string model, int index);

    [LoggerMessage(1102, LogLevel.Information, "Model {Model} has head {Head} on layer {Layer} with {Labels} labels, revision {Revision}")]
    partial void LogPut(string model, string head, int layer, int labels, long revision);

    [LoggerMessage(1103, LogLevel.Information, "Model {Model} no longer has head {Head}, revision {Revision}")]
    partial void LogDeleted(string model, string head, long revision);

    [LoggerMessage(1104, LogLevel.Warning, "Replica {Model}/{Index} has not taken the change of head {Head}")]
    partial void LogNotGiven(Exception exception, string model, int index, string head);
}
