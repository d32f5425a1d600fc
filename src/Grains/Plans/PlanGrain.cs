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
    const int MostFailures = 32;
    static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(2);
    static readonly TimeSpan TellLimit = TimeSpan.FromSeconds(1);

    readonly IGrainStorage? _storage = services.GetKeyedService<IGrainStorage>(Storage);
    readonly GrainState<ClusterPlan> _state = new(ClusterPlan.Empty);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (_storage is not null)
        {
            try
            {
                await _storage.ReadAsync(StateName, this.GetGrainId(), _state);
            }
            catch (IgptException damage) when (damage.Code == IgptErrorCode.DataLoss)
            {
                // Silos serve what they are configured to; what is set from now on is stored in its place.
                LogDamaged(damage.Message);
                _state.RecordExists = false;
            }
        }

        if (!_state.RecordExists || _state.State!.Revision < cluster.Plan.Revision)
        {
            // Where nothing is stored its predecessor's silo is lost or left: every silo was told of the last change.
            _state.State = cluster.Plan;
        }
    }

    public Task<ClusterPlan> GetAsync() => Task.FromResult(_state.State!);

    public Task<ClusterPlan> SetModelAsync(string model, ModelDeployment? deployment, LoadFailure? failure = null) => SetAsync(_state.State! with
    {
        Models = With(_state.State.Models, model, deployment),
        Failures = new(With(_state.State.Failures ?? [], model, failure).TakeLast(MostFailures)), // every name that was tried in vain would stay
    });

    public Task<ClusterPlan> DrainAsync(string silo, bool force)
    {
        if (!force && !_state.State!.Draining.Contains(silo))
        {
            RequireOthers(silo);
        }

        // A silo that has left and comes again has another address.
        var known = cluster.Statuses.Where(one => one.Value != SiloStatus.Dead).Select(one => one.Key.ToParsableString()).ToHashSet();
        return SetAsync(_state.State! with { Draining = [.. _state.State.Draining.Where(known.Contains), silo] });
    }

    public Task<ClusterPlan> UndrainAsync(string silo) => SetAsync(_state.State! with { Draining = [.. _state.State.Draining.Where(one => one != silo)] });

    /// <summary>What a silo serves must be served by another one that stays.</summary>
    void RequireOthers(string silo)
    {
        SiloAddress[] others =
        [
            .. cluster.Silos.Where(one => one.Value.Devices.Count > 0).Select(one => one.Key)
                .Where(one => one.ToParsableString() != silo && !_state.State!.Draining.Contains(one.ToParsableString())),
        ];
        string[] alone = [.. cluster.Models.Where(model => !others.Any(other => cluster.CanServe(cluster.Advertisement(other), model)))];
        if (others.Length == 0 || alone.Length > 0)
        {
            string what = alone.Length > 0 ? $"no other silo that stays serves {string.Join(", ", alone.Select(model => $"'{model}'"))}" : "no other silo that stays has a device";
            throw new IgptException(
                IgptErrorCode.Unsupported,
                $"{what}: drained, the cluster would refuse that work until the silo is undrained or started again. Start another silo first, or drain this one with force (igpt cluster drain --force)")
            {
                Field = "silo",
            };
        }
    }

    static Dictionary<string, T> With<T>(Dictionary<string, T> all, string name, T? one)
        where T : class
    {
        // In their order: the latest comes last.
        Dictionary<string, T> changed = new(all.Where(known => known.Key != name));
        if (one is not null)
        {
            changed.Add(name, one);
        }

        return changed;
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
            throw failure as IgptException ?? new IgptException(IgptErrorCode.StoreUnavailable, "the cluster's store does not answer, so nothing was changed: try again in a moment") { RetryAfter = StoreRetry };
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

    [LoggerMessage(1304, LogLevel.Critical, "The cluster's plan is damaged, so models are served as each silo is configured: load and scale again what was loaded and scaled. {Damage}")]
    partial void LogDamaged(string damage);

    [LoggerMessage(1302, LogLevel.Error, "The cluster's plan cannot be stored")]
    partial void LogNotStored(Exception failure);

    [LoggerMessage(1303, LogLevel.Debug, "Silo {Silo} was not told of a change of the cluster's plan: it will ask")]
    partial void LogNotTold(Exception failure, string silo);
}
