using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Sessions.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Core.Internal;
using Orleans.Storage;

namespace IgptCluster.Grains.Silos;

/// <summary>
/// Takes this silo out of service, and back: it takes no new work, generations that run here are stopped between two steps and go on elsewhere, or later, from their logs, and the grains
/// that live here come up elsewhere at the next call. Any thread.
/// </summary>
public sealed partial class SiloDrain : IDisposable
{
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);
    static readonly GrainType ReplicaType = GrainType.Create("igpt.replica");
    static readonly GrainType PlanType = GrainType.Create("igpt.plan");
    static readonly GrainType ModelType = GrainType.Create("igpt.model");
    static readonly GrainType SiloType = GrainType.Create("igpt.silo");

    readonly IGrainFactory _grains;
    readonly ILocalSiloDetails _silo;
    readonly ClusterView _cluster;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly TimeSpan _limit;
    readonly bool _isStored;
    readonly Lock _lock = new();
    Departure _departure = new();
    bool _isStopping;

    /// <summary>For the service container.</summary>
    /// <param name="grains">Reaches grains.</param>
    /// <param name="silo">This silo.</param>
    /// <param name="cluster">The cluster as this silo sees it.</param>
    /// <param name="options">How long it may take.</param>
    /// <param name="services">Has the clock, the log, and storage where there is any.</param>
    public SiloDrain(IGrainFactory grains, ILocalSiloDetails silo, ClusterView cluster, IOptions<DrainOptions> options, IServiceProvider services)
    {
        (_grains, _silo, _cluster) = (grains, silo, cluster);
        (_time, _logger) = (services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<SiloDrain>>());
        _isStored = services.GetKeyedService<IGrainStorage>(SessionStore.Name) is not null;
        _limit = options.Value.Budget * 2 / 3;
    }

    /// <summary>Cancelled once the silo is leaving: whoever serves clients here sends those that come elsewhere.</summary>
    public CancellationToken Started => Volatile.Read(ref _departure).Started.Token;

    /// <summary>Cancelled once streams that clients have here are to go on elsewhere.</summary>
    public CancellationToken StreamsEnd => Volatile.Read(ref _departure).StreamsEnd.Token;

    /// <summary>Leaves; completes when nothing is left here or the time for it is over. All calls share one departure.</summary>
    /// <param name="force">Whether also where models, or sessions, have no other silo.</param>
    /// <exception cref="IgptException">Unsupported, StoreUnavailable: it stays. Never where it is forced.</exception>
    public async Task DrainAsync(bool force)
    {
        (Task drain, bool isShared) = Begin(force);
        try
        {
            await drain;
        }
        catch (IgptException) when (force && isShared)
        {
            await Begin(force).Drain;
        }
    }

    /// <summary>Leaves for good: the process stops.</summary>
    internal Task LeaveAsync()
    {
        Volatile.Write(ref _isStopping, true);
        return DrainAsync(force: true);
    }

    /// <summary>Comes back into service; completes when others know.</summary>
    /// <exception cref="IgptException">Draining: the process stops; StoreUnavailable: it is still out of service.</exception>
    public async Task UndrainAsync()
    {
        if (Volatile.Read(ref _isStopping))
        {
            throw new IgptException(IgptErrorCode.Draining, $"silo {_silo.Name} is being stopped and cannot come back: start it again");
        }

        Departure departure = Volatile.Read(ref _departure);
        await departure.Undone.CancelAsync();
        await (departure.Task ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        _cluster.Learn(await Plan.UndrainAsync(_silo.SiloAddress.ToParsableString()));
        Interlocked.CompareExchange(ref _departure, new Departure(), departure);
        LogBack(_silo.Name);
    }

    /// <inheritdoc/>
    public void Dispose() => _departure.Dispose();

    IPlanGrain Plan => _grains.GetGrain<IPlanGrain>(IPlanGrain.Key);

    bool HasDevices => _cluster.Advertisement(_silo.SiloAddress).Devices.Count > 0;

    (Task Drain, bool IsShared) Begin(bool force)
    {
        lock (_lock)
        {
            bool isShared = _departure.Task is not null;
            return (_departure.Task ??= RunAsync(_departure, force), isShared);
        }
    }

    async Task RunAsync(Departure departure, bool force)
    {
        // Callers take a lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (!force && HasDevices)
        {
            try
            {
                _cluster.Learn(await Plan.DrainAsync(_silo.SiloAddress.ToParsableString(), force: false));
            }
            catch
            {
                Interlocked.CompareExchange(ref _departure, new Departure(), departure);
                throw;
            }
        }

        await LeaveAsync(departure);
    }

    async Task LeaveAsync(Departure departure)
    {
        long started = _time.GetTimestamp();
        LogStarted(_silo.Name);
        await departure.Started.CancelAsync();
        using var limit = new CancellationTokenSource(_limit, _time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, departure.Undone.Token);
        try
        {
            await EmptyAsync(departure, ended.Token);
            LogDone(_silo.Name, _time.GetElapsedTime(started).TotalSeconds);
        }
        catch (Exception failure)
        {
            // Sessions are stored: what could not be moved is taken up from there.
            LogIncomplete(failure, _silo.Name, _time.GetElapsedTime(started).TotalSeconds);
        }

        if (!departure.Undone.IsCancellationRequested)
        {
            await departure.StreamsEnd.CancelAsync();
        }
    }

    async Task EmptyAsync(Departure departure, CancellationToken cancellationToken)
    {
        bool hasDevices = HasDevices;
        if (hasDevices && !_cluster.IsDraining(_silo.SiloAddress))
        {
            // Others hold what was here from now on.
            _cluster.Learn(await Plan.DrainAsync(_silo.SiloAddress.ToParsableString(), force: true).WaitAsync(cancellationToken));
        }

        // Generations that could go on nowhere, and are stored nowhere, are let finish.
        bool hasOthers = _cluster.Silos.Any(silo => silo.Value.Devices.Count > 0 && !_cluster.IsDraining(silo.Key));
        bool evict = _isStored || !hasDevices || hasOthers;
        if (evict)
        {
            await departure.StreamsEnd.CancelAsync();
        }

        List<GrainId> replicas = await HereAsync(IsReplica, cancellationToken);
        await Task.WhenAll(replicas.Select(replica => _grains.GetGrain<IReplicaGrain>(replica.Key.ToString()!).RetireAsync(evict).WaitAsync(cancellationToken)));
        while ((await HereAsync(IsReplica, cancellationToken)).Count > 0)
        {
            await Task.Delay(LookInterval, _time, cancellationToken);
        }

        if (!hasOthers)
        {
            // What is left here is stored, or ends with the process.
            return;
        }

        // One kind after the other: a grain that moves is not there until all that move with it are, and models ask for the plan when they come up.
        await MoveAsync(IsPlan, cancellationToken);
        await MoveAsync(IsModel, cancellationToken);
        await MoveAsync(IsOther, cancellationToken);
    }

    /// <summary>Takes grains to other silos.</summary>
    async Task MoveAsync(Func<GrainType, bool> kind, CancellationToken cancellationToken)
    {
        var told = new HashSet<GrainId>();
        while (await HereAsync(kind, cancellationToken) is { Count: > 0 } here)
        {
            await Task.WhenAll(here.Where(told.Add).Select(grain => _grains.GetGrain(grain).AsReference<IGrainManagementExtension>().MigrateOnIdle(CancellationToken.None).AsTask().WaitAsync(cancellationToken)));
            await Task.Delay(LookInterval, _time, cancellationToken);
        }
    }

    /// <summary>Our grains that are active on this silo.</summary>
    async Task<List<GrainId>> HereAsync(Func<GrainType, bool> kind, CancellationToken cancellationToken)
    {
        DetailedGrainStatistic[] all = await _grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(null, [_silo.SiloAddress], cancellationToken);
        return [.. all.Select(grain => grain.GrainId).Where(grain => kind(grain.Type))];
    }

    static bool IsReplica(GrainType type) => type == ReplicaType;

    static bool IsPlan(GrainType type) => type == PlanType;

    static bool IsModel(GrainType type) => type == ModelType;

    static bool IsOther(GrainType type) => type.ToString()!.StartsWith("igpt.", StringComparison.Ordinal) && type != ReplicaType && type != SiloType;

    [LoggerMessage(1311, LogLevel.Information, "Silo {Silo} takes no new work and leaves")]
    partial void LogStarted(string silo);

    [LoggerMessage(1314, LogLevel.Information, "Silo {Silo} is in service again")]
    partial void LogBack(string silo);

    [LoggerMessage(1312, LogLevel.Information, "Silo {Silo} holds nothing any more after {Seconds:0.0} s")]
    partial void LogDone(string silo, double seconds);

    [LoggerMessage(1313, LogLevel.Warning, "Silo {Silo} could not move all it holds within {Seconds:0.0} s")]
    partial void LogIncomplete(Exception failure, string silo, double seconds);
}
