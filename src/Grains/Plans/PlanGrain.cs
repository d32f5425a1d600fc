using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Grains.Plans;

/// <summary>What the cluster was told to do. One call at a time; stored before it holds.</summary>
[DeviceSiloFilter, KeepAlive, GrainType("igpt.plan")]
internal sealed partial class PlanGrain(ClusterView cluster, IServiceProvider services, TimeProvider time, ILogger<PlanGrain> logger) : Grain, IPlanGrain
{
    /// <summary>Name of the storage provider.</summary>
    internal const string Storage = "cluster";

    const string StateName = "plan";
    static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(2);
    static readonly TimeSpan TellLimit = TimeSpan.FromSeconds(1);

    readonly IGrainStorage? _storage = services.GetKeyedService<IGrainStorage>(Storage);
    readonly GrainState<ClusterPlan> _state = new(ClusterPlan.Empty);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (_storage is not null)
        {
            await _storage.ReadAsync(StateName, this.GetGrainId(), _state);
        }

        if (!_state.RecordExists || _state.State!.Revision < cluster.Plan.Revision)
        {
            // Where nothing is stored its predecessor's silo is lost or left: every silo was told of the last change.
            _state.State = cluster.Plan;
        }
    }

    public Task<ClusterPlan> GetAsync() => Task.FromResult(_state.State!);

    public Task<ClusterPlan> SetModelAsync(string model, ModelDeployment? deployment)
    {
        Dictionary<string, ModelDeployment> models = new(_state.State!.Models);
        _ = deployment is null ? models.Remove(model) : (models[model] = deployment) is not null;
        return SetAsync(_state.State with { Models = models });
    }

    public Task<ClusterPlan> DrainAsync(string silo)
    {
        // A silo that has left and comes again has another address.
        var known = cluster.Statuses.Where(one => one.Value != SiloStatus.Dead).Select(one => one.Key.ToParsableString()).ToHashSet();
        return SetAsync(_state.State! with { Draining = [.. _state.State.Draining.Where(known.Contains), silo] });
    }

    async Task<ClusterPlan> SetAsync(ClusterPlan changed)
    {
        ClusterPlan before = _state.State!;
        ClusterPlan plan = changed with { Revision = Math.Max(before.Revision + 1, time.GetUtcNow().ToUnixTimeMilliseconds()) };
        try
        {
            _state.State = plan;
            if (_storage is not null)
            {
                await _storage.WriteStateAsync(StateName, this.GetGrainId(), _state);
            }
        }
        catch (Exception failure)
        {
            // Another activation may have written: the next call finds what is stored.
            _state.State = before;
            DeactivateOnIdle();
            LogNotStored(failure);
            throw new IgptException(IgptErrorCode.StoreUnavailable, "the cluster's store does not answer, so nothing was changed: try again in a moment") { RetryAfter = StoreRetry };
        }

        await Task.WhenAll(cluster.Silos.Keys.Select(silo => TellAsync(silo.ToParsableString(), plan)));
        return plan;
    }

    /// <summary>So that a change holds everywhere when it is answered. A silo that does not listen now asks within a second.</summary>
    async Task TellAsync(string silo, ClusterPlan plan)
    {
        try
        {
            await GrainFactory.GetGrain<ISiloGrain>(silo).TellAsync(plan).WaitAsync(TellLimit, time);
        }
        catch (Exception failure)
        {
            LogNotTold(failure, silo);
        }
    }

    [LoggerMessage(1302, LogLevel.Error, "The cluster's plan cannot be stored")]
    partial void LogNotStored(Exception failure);

    [LoggerMessage(1303, LogLevel.Debug, "Silo {Silo} was not told of a change of the cluster's plan: it will ask")]
    partial void LogNotTold(Exception failure, string silo);
}
