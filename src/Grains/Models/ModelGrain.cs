using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Plans;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Grains.Models;

/// <summary>
/// One model: how it is to be served, its replicas, its put heads. Silos that join are used at the next look; replicas of a dead silo are forgotten with it and come back elsewhere. A
/// replica is told of as ready only once it has all heads, and an activation that follows a lost one takes them from the store and from the replicas it finds.
/// </summary>
[DeviceSiloFilter, KeepAlive, GrainType("igpt.model")]
internal sealed partial class ModelGrain(ClusterView cluster, IServiceProvider services, TimeProvider time, ILogger<ModelGrain> logger) : Grain, IModelGrain
{
    static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(25);

    ModelHeads _heads = null!;
    ReplicaFleet _fleet = null!;
    ModelDescription? _checkpoint;
    Task _looking = Task.CompletedTask;
    Task _changing = Task.CompletedTask;

    string Name => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var store = new HeadStore(services.GetKeyedService<IGrainStorage>(PlanGrain.Storage), this.GetGrainId());
        _heads = new ModelHeads(Name, store, time, logger);
        _fleet = new ReplicaFleet(Name, _heads, GrainFactory, services, logger);
        await _heads.RestoreAsync();

        // A predecessor may have left replicas anywhere: find them before starting others.
        // Without the plan they would look like too many.
        await _fleet.FindAsync(cancellationToken);
        cluster.Learn(await GrainFactory.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync());
        await _fleet.LookAsync(cancellationToken);
        this.RegisterGrainTimer(LookAndJudgeAsync, new GrainTimerCreationOptions(LookInterval, LookInterval) { Interleave = true });
    }

    public Task<ReplicaStatus[]> GetReplicasAsync()
    {
        if (_fleet.IsEmpty && !_fleet.IsServed)
        {
            DeactivateOnIdle();
            throw NotServed();
        }

        return Task.FromResult(_fleet.Statuses);
    }

    public async Task<ModelDescription> DescribeAsync()
    {
        ReplicaStatus ready = await ReadyAsync();
        return await _fleet.Replica(ready.Id.Index).DescribeAsync();
    }

    public async Task<HeadDescription> PutHeadAsync(HeadSpec head)
    {
        ModelDescription checkpoint = await CheckpointAsync();
        if (HeadRules.Violations(head, checkpoint.LayerCount, checkpoint.EmbeddingSize) is { Count: > 0 } broken)
        {
            throw new IgptException(broken);
        }

        RequireNotOwn(checkpoint, head.Name, "replaced: put yours under another name");
        _heads.RequireRoom(head);
        HeadChange change = _heads.Put(head);
        await GiveAsync(change);
        LogPut(Name, head.Name, head.Layer, head.Labels.Length, change.Revision);
        return head.ToDescription();
    }

    public async Task DeleteHeadAsync(string name)
    {
        ModelDescription checkpoint = await CheckpointAsync();
        RequireNotOwn(checkpoint, name, "deleted: take it out of the checkpoint's folder and start the silo again");
        HeadChange change = _heads.Delete(name);
        await GiveAsync(change);
        LogDeleted(Name, name, change.Revision);
    }

    public async Task LoadAsync(ModelDeployment deployment)
    {
        if (cluster.Silos.Values.All(silo => silo.Devices.Count == 0))
        {
            throw new IgptException(IgptErrorCode.NoReplica, "no silo with a device has joined the cluster: there is nowhere to load a model") { RetryAfter = LookInterval };
        }

        await RequireRoomAsync(deployment, running: 0);
        await ChangeAsync(() =>
        {
            ModelDeployment? before = cluster.Plan.Models.GetValueOrDefault(Name);
            return new Change(deployment with
            {
                Revision = Math.Max((before?.Revision ?? 0) + 1, time.GetUtcNow().ToUnixTimeMilliseconds()),
                IsOnTrial = true,
                Before = before is { IsOnTrial: true } ? before.Before : before,
            });
        });
        LogLoading(Name, PrintableText.Escape(deployment.Source), deployment.Replicas);
    }

    public async Task UnloadAsync()
    {
        RequireServed();

        // What the silos' settings serve stays known as not wanted; what was loaded is forgotten.
        await ChangeAsync(() => new Change(
            cluster.Silos.Values.Any(silo => silo.Serves(Name)) ? cluster.Deployment(Name) with { IsServed = false, IsOnTrial = false, Before = null } : null));
        LogUnloaded(Name);
    }

    public async Task ScaleAsync(int replicas)
    {
        RequireServed();
        ModelDeployment scaled = cluster.Deployment(Name) with { Replicas = replicas };
        await RequireRoomAsync(scaled, _fleet.Current(scaled.Revision).Length);
        await ChangeAsync(() => new Change(cluster.Deployment(Name) with { Replicas = replicas }));
        LogScaled(Name, replicas);
    }

    /// <summary>One change of the plan at a time, each made of what the one before has left: a call and what the clock brings about would undo each other's.</summary>
    /// <param name="decide">What is to be changed; null: nothing.</param>
    async Task ChangeAsync(Func<Change?> decide)
    {
        while (!_changing.IsCompleted)
        {
            await _changing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        if (decide() is { } change)
        {
            await (_changing = SetAsync(change));
        }
    }

    async Task SetAsync(Change change)
    {
        cluster.Learn(await GrainFactory.GetGrain<IPlanGrain>(IPlanGrain.Key).SetModelAsync(Name, change.Deployment, change.Failure));
        await LookAsync(CancellationToken.None);
    }

    /// <summary>Every silo that may hold a replica must be able to load it, and together they must have room for all: what cannot be served is refused before anything changes.</summary>
    /// <param name="deployment">What is to be served.</param>
    /// <param name="running">Replicas of it that there are already.</param>
    async Task RequireRoomAsync(ModelDeployment deployment, int running)
    {
        KeyValuePair<SiloAddress, SiloAdvertisement>[] silos =
        [
            .. cluster.Silos.Where(silo => (deployment.Source.Length > 0 ? silo.Value.Devices.Count > 0 : silo.Value.Serves(Name)) && !cluster.IsDraining(silo.Key)),
        ];
        int wanted = deployment.Replicas > 0 ? deployment.Replicas : silos.Sum(silo => silo.Value.Devices.Count);
        if (wanted <= running)
        {
            return;
        }

        SiloRoom[] rooms = await Task.WhenAll(silos.Select(silo => CheckAsync(silo.Key, deployment)));
        long room = rooms.Sum(one => (long)one.Replicas);
        if (wanted - running > room)
        {
            string where = string.Join("; ", silos.Zip(rooms, (silo, one) => $"silo '{silo.Value.Name}': {one.Explanation}"));
            throw new IgptException(
                IgptErrorCode.Unsupported,
                $"replicas: there is room for {room:N0} more replicas of model '{Name}', beside {running:N0} of that version; given {wanted:N0}. {where}. Ask for fewer, unload other models, or add silos")
            {
                Field = "replicas",
            };
        }
    }

    async Task<SiloRoom> CheckAsync(SiloAddress silo, ModelDeployment deployment)
    {
        try
        {
            return await GrainFactory.GetGrain<ISiloGrain>(silo.ToParsableString()).CheckAsync(Name, deployment).WaitAsync(CheckLimit, time);
        }
        catch (TimeoutException)
        {
            throw new IgptException(IgptErrorCode.NoReplica, $"a silo did not read {Echo.Quoted(deployment.Source)} within {CheckLimit.TotalSeconds:0} s, so nothing was changed: try again") { RetryAfter = LookInterval };
        }
    }

    /// <summary>What was loaded has shown that it can be served, or what was served before holds again.</summary>
    Change? Judge()
    {
        if (cluster.Deployment(Name) is not { IsOnTrial: true } trial)
        {
            return null;
        }

        if (_fleet.Faulted(trial.Revision) is { } faulted)
        {
            LogFailed(Name, PrintableText.Escape(trial.Source), faulted.Silo, PrintableText.Escape(faulted.Message));
            return new Change(trial.Before, new LoadFailure(trial.Source, $"replica {faulted.Id} on silo {faulted.Silo}: {faulted.Message}"));
        }

        return _fleet.IsComplete(trial.Revision) ? new Change(trial with { IsOnTrial = false, Before = null }) : null;
    }

    async Task LookAndJudgeAsync(CancellationToken cancellationToken)
    {
        await LookAsync(cancellationToken);
        await ChangeAsync(Judge);
    }

    /// <summary>One look at a time: two would start the same replica.</summary>
    async Task LookAsync(CancellationToken cancellationToken)
    {
        while (!_looking.IsCompleted)
        {
            await _looking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        await (_looking = _fleet.LookAsync(cancellationToken));
    }

    /// <summary>Makes a change of heads hold everywhere.</summary>
    async Task GiveAsync(HeadChange change)
    {
        await _heads.ApplyAsync(change);
        if (!await _fleet.GiveAsync(change))
        {
            throw new IgptException(IgptErrorCode.NoReplica, $"no replica of model '{Name}' has taken the change of head '{change.Name}' yet: try again") { RetryAfter = LookInterval };
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

        ModelDescription model = await _fleet.Replica(ready.Id.Index).DescribeAsync();
        return _checkpoint = model with { Heads = [.. model.Heads.Where(head => head.IsReadOnly)] };
    }

    async Task<ReplicaStatus> ReadyAsync()
    {
        ReplicaStatus[] replicas = await GetReplicasAsync();
        return replicas.FirstOrDefault(replica => replica.State == ReplicaState.Ready) ?? throw ReplicaChoice.NoneReady(replicas, Name);
    }

    void RequireServed()
    {
        if (!_fleet.IsServed)
        {
            throw NotServed();
        }
    }

    IgptException NotServed()
    {
        string why = cluster.LoadFailure(Name) is { } failure ? $" It could not be loaded from {Echo.Quoted(failure.Source)}: {failure.Message}" : "";
        return new IgptException(IgptErrorCode.ModelNotFound, $"no silo serves a model {Echo.Quoted(Name)}; the cluster has {Echo.List([.. cluster.Models])}.{why}") { Field = "model" };
    }

    void RequireNotOwn(ModelDescription checkpoint, string name, string otherwise)
    {
        if (checkpoint.Heads.Any(own => own.Name == name))
        {
            throw new IgptException(IgptErrorCode.HeadReadOnly, $"head '{name}' belongs to model '{Name}' as its checkpoint is and cannot be {otherwise}") { Field = "head" };
        }
    }

    [LoggerMessage(1102, LogLevel.Information, "Model {Model} has head {Head} on layer {Layer} with {Labels} labels, revision {Revision}")]
    partial void LogPut(string model, string head, int layer, int labels, long revision);

    [LoggerMessage(1103, LogLevel.Information, "Model {Model} no longer has head {Head}, revision {Revision}")]
    partial void LogDeleted(string model, string head, long revision);

    [LoggerMessage(1107, LogLevel.Information, "Model {Model} is loaded from {Source} on {Replicas} replicas (0: one for each device)")]
    partial void LogLoading(string model, string source, int replicas);

    [LoggerMessage(1110, LogLevel.Error, "Model {Model} could not be loaded from {Source}, and is served as before: silo {Silo} says: {Reason}")]
    partial void LogFailed(string model, string source, string silo, string reason);

    [LoggerMessage(1108, LogLevel.Information, "Model {Model} is not served any more")]
    partial void LogUnloaded(string model);

    [LoggerMessage(1109, LogLevel.Information, "Model {Model} is to have {Replicas} replicas (0: one for each device)")]
    partial void LogScaled(string model, int replicas);

    /// <summary>A change of how the model is to be served.</summary>
    /// <param name="Deployment">How; null: as the silos' settings say.</param>
    /// <param name="Failure">Why the latest attempt to load it failed.</param>
    sealed record Change(ModelDeployment? Deployment, LoadFailure? Failure = null);
}
