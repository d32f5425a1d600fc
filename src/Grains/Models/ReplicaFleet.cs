using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Models;

/// <summary>
/// The replicas of one model: sees to it that there are as many as wanted, of the version that is wanted, on silos that serve the model and stay; knows their load. One grain's
/// turns only.
/// </summary>
/// <param name="model">The model's name.</param>
/// <param name="heads">What a replica must have before it is told of.</param>
/// <param name="grains">Reaches the replicas.</param>
/// <param name="services">Has the cluster's silos and plan, and the clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ReplicaFleet(string model, ModelHeads heads, IGrainFactory grains, IServiceProvider services, ILogger logger)
{
    static readonly GrainType ReplicaType = GrainType.Create("igpt.replica");
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);
    static readonly TimeSpan GiveTimeout = TimeSpan.FromSeconds(10);

    readonly Dictionary<int, ReplicaStatus> _replicas = [];
    readonly ClusterView _cluster = services.GetRequiredService<ClusterView>();
    readonly TimeProvider _time = services.GetRequiredService<TimeProvider>();

    /// <summary>Whether the model is served.</summary>
    internal bool IsServed => Deployment.IsServed && _cluster.Serving(model).Count > 0;

    /// <summary>Whether there is any replica.</summary>
    internal bool IsEmpty => _replicas.Count == 0;

    ModelDeployment Deployment => _cluster.Deployment(model);

    /// <summary>Load of every replica, by index. A version that is not complete yet takes no work as long as an older one does.</summary>
    internal ReplicaStatus[] Statuses
    {
        get
        {
            long wanted = Deployment.Revision;
            bool isWarming = !IsComplete(wanted) && _replicas.Values.Any(replica => replica.State == ReplicaState.Ready && replica.Revision != wanted);
            return
            [
                .. _replicas.Values.OrderBy(replica => replica.Id.Index).Select(replica => isWarming && replica.State == ReplicaState.Ready && replica.Revision == wanted
                    ? replica with { State = ReplicaState.Loading, Message = "loaded; waits for the others of its version" }
                    : replica),
            ];
        }
    }

    /// <summary>A replica of a version that cannot take work; null if there is none.</summary>
    internal ReplicaStatus? Faulted(long revision) => _replicas.Values.FirstOrDefault(replica => replica.Revision == revision && replica.State == ReplicaState.Faulted);

    /// <summary>Finds what a predecessor of this activation has left.</summary>
    internal async Task FindAsync(CancellationToken cancellationToken)
    {
        List<GrainId> active = await grains.GetGrain<IManagementGrain>(0).GetActiveGrains(ReplicaType, cancellationToken);
        IEnumerable<ReplicaId> left = active.Select(grain => ReplicaId.Parse(grain.Key.ToString()!)).Where(replica => replica.Model == model);
        await Task.WhenAll(left.Select(replica => AskAsync(replica.Index, one => one.GetStatusAsync(), cancellationToken)));
    }

    /// <summary>Looks at every replica, starts those that are missing and retires those that are too many.</summary>
    internal async Task LookAsync(CancellationToken cancellationToken)
    {
        var alive = _cluster.Silos.Keys.Select(silo => silo.ToParsableString()).ToHashSet();
        foreach (int index in _replicas.Where(replica => !alive.Contains(replica.Value.SiloAddress)).Select(replica => replica.Key).ToArray())
        {
            _replicas.Remove(index);
        }

        if (_cluster.Silos.All(silo => silo.Value.Devices.Count == 0 || _cluster.IsDraining(silo.Key)))
        {
            // Nothing can be started any more, and a call to a replica that has left already would try to.
            foreach (ReplicaStatus replica in _replicas.Values.ToArray())
            {
                _replicas[replica.Id.Index] = replica with { State = ReplicaState.Draining };
            }

            return;
        }

        await Task.WhenAll(_replicas.Keys.ToArray().Select(index => AskAsync(index, replica => replica.GetStatusAsync(), cancellationToken)));
        ModelDeployment deployment = Deployment;
        await Task.WhenAll(Surplus(deployment).Select(RetireAsync));
        for (int index = 0, tried = 0; Current(deployment.Revision).Length < Wanted(deployment) && tried < Wanted(deployment); index++)
        {
            // One at a time: each placement sees the one before it.
            if (!_replicas.ContainsKey(index))
            {
                tried++;
                await AskAsync(index, replica => replica.StartAsync(deployment), cancellationToken);
            }
        }
    }

    /// <summary>Gives a change of heads to every ready replica; one that does not take it is not told of until it has caught up.</summary>
    /// <returns>Whether any has taken it.</returns>
    internal async Task<bool> GiveAsync(HeadChange change)
    {
        int[] ready = [.. _replicas.Values.Where(replica => replica.State == ReplicaState.Ready).Select(replica => replica.Id.Index)];
        bool[] taken = await Task.WhenAll(ready.Select(index => TryGiveAsync(index, change)));
        return taken.Contains(true);
    }

    /// <summary>A replica.</summary>
    internal IReplicaGrain Replica(int index) => grains.GetGrain<IReplicaGrain>(new ReplicaId(model, index).ToString());

    /// <summary>Number of replicas that are wanted.</summary>
    internal int Wanted(ModelDeployment deployment) => !IsServed ? 0
        : deployment.Replicas > 0 ? deployment.Replicas
        : _cluster.Serving(model).Values.Sum(silo => silo.Devices.Count);

    /// <summary>Replicas of a version that are here to stay.</summary>
    internal ReplicaStatus[] Current(long revision) =>
    [
        .. _replicas.Values.Where(replica => replica.Revision == revision && replica.State != ReplicaState.Draining
            && !_cluster.Plan.Draining.Contains(replica.SiloAddress)).OrderBy(replica => replica.Id.Index),
    ];

    /// <summary>Whether all replicas of a version that are wanted are ready.</summary>
    internal bool IsComplete(long revision) =>
        Current(revision) is { Length: > 0 } current && current.Length >= Wanted(Deployment) && current.All(replica => replica.State == ReplicaState.Ready);

    /// <summary>
    /// Replicas that are not wanted any more: of an older version once the new one is complete or where the old one does nothing, beyond the number wanted, and beyond one for each device
    /// (a replica called while its silo was leaving comes up beside another's).
    /// </summary>
    int[] Surplus(ModelDeployment deployment)
    {
        if (!IsServed)
        {
            return [.. _replicas.Values.Where(replica => replica.State != ReplicaState.Draining).Select(replica => replica.Id.Index)];
        }

        bool isComplete = IsComplete(deployment.Revision);
        IEnumerable<ReplicaStatus> old = _replicas.Values.Where(replica => replica.Revision != deployment.Revision
            && replica.State != ReplicaState.Draining && (isComplete || replica.State == ReplicaState.Faulted));
        ReplicaStatus[] current = Current(deployment.Revision);
        IEnumerable<ReplicaStatus> many = deployment.Replicas > 0
            ? current.OrderBy(replica => replica.State == ReplicaState.Faulted).Skip(deployment.Replicas)
            : _cluster.Serving(model).SelectMany(silo => current.Where(replica => replica.SiloAddress == silo.Key.ToParsableString()).Skip(silo.Value.Devices.Count));
        return [.. old.Concat(many).Select(replica => replica.Id.Index)];
    }

    async Task RetireAsync(int index)
    {
        _replicas.Remove(index);
        LogRetired(model, index);
        await Replica(index).RetireAsync();
    }

    async Task AskAsync(int index, Func<IReplicaGrain, Task<ReplicaStatus>> ask, CancellationToken cancellationToken)
    {
        IReplicaGrain replica = Replica(index);
        try
        {
            ReplicaStatus status = await ask(replica).WaitAsync(AnswerTimeout, _time, cancellationToken);

            // Between the last comparison and telling of the replica nothing is awaited: a head that is put meanwhile either reaches
            // the replica here or finds it among the ready ones.
            while (status.State == ReplicaState.Ready && status.HeadsVersion != heads.Version)
            {
                status = status with { HeadsVersion = await heads.ExchangeAsync(replica) };
            }

            if (status.State == ReplicaState.Absent)
            {
                _replicas.Remove(index);
            }
            else
            {
                _replicas[index] = Checked(status);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogNoAnswer(exception, model, index);
            _replicas.Remove(index);
        }
    }

    /// <summary>All replicas of a version that was loaded must have read the same: the first that was ready tells what that is. Silos that are started anew may bring new files.</summary>
    ReplicaStatus Checked(ReplicaStatus status)
    {
        bool IsFellow(ReplicaStatus other) => other.Id != status.Id && other.State == ReplicaState.Ready && other.Revision == status.Revision && other.ModelVersion != status.ModelVersion;
        return status.State == ReplicaState.Ready && status.Revision > 0 && _replicas.Values.FirstOrDefault(IsFellow) is { } fellow
            ? status with { State = ReplicaState.Faulted, Message = $"it read version {status.ModelVersion}, and {fellow.Id} on {fellow.Silo} version {fellow.ModelVersion}: give all silos the same files" }
            : status;
    }

    async Task<bool> TryGiveAsync(int index, HeadChange change)
    {
        try
        {
            string version = await Replica(index).ChangeHeadAsync(change).WaitAsync(GiveTimeout, _time);
            if (_replicas.TryGetValue(index, out ReplicaStatus? status))
            {
                _replicas[index] = status with { HeadsVersion = version };
            }

            return true;
        }
        catch (Exception exception)
        {
            LogNotGiven(exception, model, index, change.Name);
            _replicas.Remove(index);
            return false;
        }
    }

    [LoggerMessage(1101, LogLevel.Warning, "Replica {Model}/{Index} gives no status")]
    partial void LogNoAnswer(Exception exception, string model, int index);

    [LoggerMessage(1104, LogLevel.Warning, "Replica {Model}/{Index} has not taken the change of head {Head}")]
    partial void LogNotGiven(Exception exception, string model, int index, string head);

    [LoggerMessage(1106, LogLevel.Information, "Replica {Model}/{Index} is not wanted any more")]
    partial void LogRetired(string model, int index);
}
