using System.Collections.Concurrent;
using System.Diagnostics;
using IgptCluster.Chaos.Nodes;
using IgptCluster.Chaos.Work;
using IgptCluster.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos.Faults;

/// <summary>Does what a seeded schedule says, as long as at least one silo, and one gateway, is left that serves.</summary>
/// <param name="disk">The store's disk; null: it cannot be filled.</param>
/// <param name="copies">Where copies of the store's folder go.</param>
internal sealed class Saboteur(
    ChaosSettings settings, LocalCluster cluster, SmallDisk? disk, StoreCopies copies, SessionLoad sessions, IgptClient client, Model model, Refusals refusals, Violations violations)
{
    const int TokensBefore = 10;
    static readonly TimeSpan RestartAfter = TimeSpan.FromSeconds(1);
    static readonly TimeSpan GatewayRestartAfter = TimeSpan.FromSeconds(4); // later than what its loss is measured by: a process that starts takes processors from the others
    static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(2);
    static readonly TimeSpan DeathLimit = TimeSpan.FromSeconds(20);
    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(60);
    static readonly TimeSpan StoreSleep = TimeSpan.FromSeconds(7); // its clients give up after five
    static readonly TimeSpan ScaleLimit = TimeSpan.FromSeconds(60);
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    // How often each is drawn; and the least time between two.
    static readonly (FaultKind Kind, int Weight, TimeSpan Apart)[] Plan =
    [
        (FaultKind.SiloKilled, 8, TimeSpan.Zero), (FaultKind.GatewayKilled, 5, TimeSpan.Zero), (FaultKind.SiloFrozen, 3, TimeSpan.FromSeconds(20)),
        (FaultKind.Nothing, 5, TimeSpan.Zero),
        (FaultKind.StoreDiskFilled, 3, TimeSpan.FromSeconds(75)), (FaultKind.StoreFolderCopied, 3, TimeSpan.FromSeconds(60)), (FaultKind.WeightsOverwritten, 4, TimeSpan.FromSeconds(45)),
        (FaultKind.StoreKilled, 3, TimeSpan.FromSeconds(60)), (FaultKind.StoreFrozen, 1, TimeSpan.FromSeconds(90)), (FaultKind.Scaled, 2, TimeSpan.FromSeconds(20)), (FaultKind.RollingRestart, 2, TimeSpan.FromSeconds(150)),
    ];

    readonly Random _random = new(settings.Seed);
    readonly ConcurrentQueue<Fault> _faults = new();
    readonly ConcurrentBag<Task> _running = [];
    readonly ConcurrentBag<double> _declared = [];
    readonly Dictionary<FaultKind, long> _last = [];
    volatile bool _isDiskFull;

    internal IReadOnlyCollection<Fault> Faults => _faults;

    /// <summary>Seconds from each freezing to the declaration of death.</summary>
    internal IReadOnlyCollection<double> Declared => _declared;

    /// <summary>Begins when sessions stream; runs until told to stop, then until everything is up again.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds(Math.Max(settings.Every, 0.1)));
        while (sessions.Tokens < TokensBefore * settings.Sessions && await NextAsync(tick, stop))
        {
        }

        while (settings.Every > 0 && await NextAsync(tick, stop))
        {
            if (Draw() is { } kind)
            {
                _last[kind] = Stopwatch.GetTimestamp();
                await BeginAsync(kind, stop);
            }
        }

        await Task.WhenAll(_running);
    }

    static async Task<bool> NextAsync(PeriodicTimer tick, CancellationToken stop)
    {
        try
        {
            return await tick.WaitForNextTickAsync(stop);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    FaultKind? Draw()
    {
        var possible = Plan.Where(one => settings.Faults.Contains($"{one.Kind}") && !(_last.TryGetValue(one.Kind, out long last) && Stopwatch.GetElapsedTime(last) < one.Apart) && IsPossible(one.Kind)).ToList();
        int drawn = _random.Next(Math.Max(1, possible.Sum(one => one.Weight)));
        foreach ((FaultKind kind, int weight, _) in possible)
        {
            if ((drawn -= weight) < 0)
            {
                return kind;
            }
        }

        return null;
    }

    bool IsPossible(FaultKind kind) => kind switch
    {
        FaultKind.StoreDiskFilled => disk is not null && cluster.Store.IsUp && !_isDiskFull,
        FaultKind.StoreKilled or FaultKind.StoreFrozen or FaultKind.StoreFolderCopied => cluster.Store.IsUp && !_isDiskFull,
        FaultKind.SiloKilled or FaultKind.SiloFrozen or FaultKind.WeightsOverwritten => cluster.Store.IsUp && cluster.Silos.Count(silo => silo.IsUp) > 1,
        FaultKind.GatewayKilled => cluster.Gateways.Count(gateway => gateway.IsUp) > 1,
        FaultKind.Nothing => true,
        FaultKind.RollingRestart => cluster.Store.IsUp && cluster.Silos.All(silo => silo.IsUp) && cluster.Gateways.All(gateway => gateway.IsUp),
        _ => cluster.Store.IsUp,
    };

    /// <summary>Does it, and leaves what comes after it to the background; a rolling restart has the cluster to itself.</summary>
    async Task BeginAsync(FaultKind kind, CancellationToken stop)
    {
        switch (kind)
        {
            case FaultKind.SiloKilled:
                await KillAsync(kind, await PickAsync(cluster.Silos), RestartAfter);
                break;
            case FaultKind.GatewayKilled:
                await KillAsync(kind, await PickAsync(cluster.Gateways), GatewayRestartAfter);
                break;
            case FaultKind.Nothing:
                Note(kind, new Victim(null, [.. sessions.Live]));
                break;
            case FaultKind.StoreKilled:
                await KillAsync(kind, new Victim(cluster.Store, []), TimeSpan.FromSeconds(1 + (2 * _random.NextDouble())));
                break;
            case FaultKind.StoreDiskFilled:
                Note(kind, new Victim(cluster.Store, []));
                _running.Add(FillDiskAsync(TimeSpan.FromSeconds(3 + (5 * _random.NextDouble()))));
                break;
            case FaultKind.StoreFolderCopied:
                Note(kind, new Victim(cluster.Store, []));
                _running.Add(copies.CopyAsync(cluster.StoreFolder));
                break;
            case FaultKind.WeightsOverwritten:
                Victim loading = await PickAsync(cluster.Silos);
                int before = loading.Node!.Refusals;
                await KillAsync(kind, loading, RestartAfter);
                _running.Add(new WeightsFile(settings.Model).OverwriteAsync(() => loading.Node.IsUp || loading.Node.Refusals > before));
                break;
            case FaultKind.StoreFrozen:
                Note(kind, new Victim(cluster.Store, []));
                cluster.Store.Freeze();
                _running.Add(WakeStoreAsync());
                break;
            case FaultKind.SiloFrozen:
                Victim frozen = await PickAsync(cluster.Silos);
                string? address = await AddressAsync(frozen.Node!);
                Note(kind, frozen);
                frozen.Node!.Freeze();
                _running.Add(ThawAsync(frozen.Node, address));
                break;
            case FaultKind.Scaled:
                Note(kind, new Victim(null, []));
                _running.Add(ScaleAsync());
                break;
            case FaultKind.RollingRestart:
                await Task.WhenAll(_running);
                await RollAsync(stop);
                break;
        }
    }

    async Task<Victim> PickAsync(IReadOnlyList<Node> nodes)
    {
        // A gateway that nobody uses is hardly missed.
        Node[] up = [.. nodes.Where(node => node.IsUp)];
        Node[] used = [.. up.Where(node => node.Kind == NodeKind.Silo || Through(node).Count > 0)];
        Node node = used.Length > 0 ? used[_random.Next(used.Length)] : up[_random.Next(up.Length)];
        return new Victim(node, node.Kind == NodeKind.Silo ? await GeneratedOnAsync(node.Name) : Through(node));
    }

    void Note(FaultKind kind, Victim victim)
    {
        Track[] streaming = [.. sessions.Live.Where(track => track.IsStreaming)];
        _faults.Enqueue(new Fault(kind, victim.Node?.Name ?? model.Name, Stopwatch.GetTimestamp(), [.. streaming.Where(victim.Sessions.Contains)], [.. streaming.Where(track => !victim.Sessions.Contains(track))]));
        Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {kind} {victim.Node?.Name}: {streaming.Count(victim.Sessions.Contains)} of {streaming.Length} streams there");
    }

    async Task KillAsync(FaultKind kind, Victim victim, TimeSpan after)
    {
        Note(kind, victim);
        await victim.Node!.KillAsync();
        _running.Add(RestartAsync(victim.Node, after));
    }

    async Task RestartAsync(Node node, TimeSpan after)
    {
        await Task.Delay(after);
        await StartAsync(node);
    }

    /// <summary>Starts a process again; one that never serves is a failure of the run, not its end.</summary>
    internal async Task StartAsync(Node node)
    {
        try
        {
            await node.StartAsync(CancellationToken.None);
        }
        catch (OperationCanceledException)
        {
            violations.Add($"{node.Name} was started and never became ready: {node.LastWord()}");
        }

        if (node.Kind == NodeKind.Store && !node.IsUp && !node.IsForbidden)
        {
            violations.Add($"{node.Name} does not serve its own folder any more: {node.LastWord()}");
        }
    }

    async Task ThawAsync(Node node, string? address)
    {
        long frozen = Stopwatch.GetTimestamp();
        bool isDead = false;
        while (!isDead && Stopwatch.GetElapsedTime(frozen) < DeathLimit)
        {
            await Task.Delay(LookInterval);
            isDead = address is null || await DescribeAsync() is { } now && now.Silos.All(silo => silo.Address != address || silo.Status == "Dead");
        }

        if (isDead && address is not null)
        {
            _declared.Add(Stopwatch.GetElapsedTime(frozen).TotalSeconds);
        }
        else if (!isDead)
        {
            violations.Add($"{node.Name} was frozen and not declared dead within {DeathLimit.TotalSeconds:0} s");
        }

        node.Thaw();
        await Task.WhenAny(node.Exited, Task.Delay(EndLimit));
        if (!node.Exited.IsCompleted || node.ExitCode != 134)
        {
            violations.Add($"{node.Name} was declared dead while it was frozen, and {(node.Exited.IsCompleted ? $"ended with {node.ExitCode}, not 134" : "goes on when it wakes")}");
            await node.DisposeAsync();
        }

        await StartAsync(node);
    }

    async Task FillDiskAsync(TimeSpan time)
    {
        _isDiskFull = true;
        await disk!.FillAsync(time);
        while (!cluster.Store.IsUp && !cluster.Store.IsForbidden)
        {
            await Task.Delay(LookInterval); // no other fault of the store until it serves
        }

        Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} the disk was full for {time.TotalSeconds:0.0} s, and the store serves");
        _isDiskFull = false;
    }

    async Task WakeStoreAsync()
    {
        await Task.Delay(StoreSleep);
        cluster.Store.Wake();
    }

    async Task ScaleAsync()
    {
        var models = new Models.ModelsClient(client.Invoker);
        try
        {
            await ScaleAsync(models, (uint)Math.Max(1, settings.Silos - 1));
            await Task.Delay(TimeSpan.FromSeconds(Math.Max(3, settings.Every)));
            await ScaleAsync(models, 0);
        }
        catch (Exception failure)
        {
            violations.Add($"Scale failed: {failure.Message}");
        }
    }

    /// <summary>What is refused because the store is full is tried again, as an operator does.</summary>
    async Task ScaleAsync(Models.ModelsClient models, uint replicas)
    {
        for (long begin = Stopwatch.GetTimestamp(); ; await Task.Delay(RestartAfter))
        {
            try
            {
                await models.ScaleAsync(new ScaleModelRequest { Model = model.Name, Replicas = replicas });
                return;
            }
            catch (Grpc.Core.RpcException failure) when (refusals.AddIfStoreFull(failure) && disk?.WasFullLately == true && Stopwatch.GetElapsedTime(begin) < ScaleLimit)
            {
                // Again.
            }
        }
    }

    async Task RollAsync(CancellationToken stop)
    {
        foreach (Node node in cluster.Silos.Concat(cluster.Gateways))
        {
            if (stop.IsCancellationRequested)
            {
                return;
            }

            Note(FaultKind.RollingRestart, new Victim(node, node.Kind == NodeKind.Silo ? await GeneratedOnAsync(node.Name) : Through(node)));
            try
            {
                await node.TerminateAsync(EndLimit);
                if (node.ExitCode != 0)
                {
                    violations.Add($"{node.Name} was told to stop and ended with {node.ExitCode}");
                }
            }
            catch (TimeoutException)
            {
                violations.Add($"{node.Name} was told to stop and runs on after {EndLimit.TotalSeconds:0} s");
                await node.DisposeAsync();
            }

            await StartAsync(node);
        }
    }

    /// <summary>Streams of the sessions that are generated on a silo, as far as the cluster tells in time.</summary>
    async Task<HashSet<Track>> GeneratedOnAsync(string silo)
    {
        if (await DescribeAsync() is not { } now)
        {
            return [];
        }

        var replicas = now.Replicas.Where(replica => replica.Silo == silo).Select(replica => replica.Id).ToHashSet();
        var calls = new Sessions.SessionsClient(client.Invoker);
        DateTime end = DateTime.UtcNow + LookLimit;
        var there = new ConcurrentBag<Track>();
        await Task.WhenAll(sessions.Live.Where(track => track.IsStreaming).Select(async track =>
        {
            try
            {
                Session session = await calls.GetAsync(new GetSessionRequest { SessionId = track.SessionId }, deadline: end);
                if (replicas.Contains(session.Replica) && session.State == SessionState.Running)
                {
                    there.Add(track);
                }
            }
            catch (Grpc.Core.RpcException)
            {
                // It counts among the others.
            }
        }));
        return [.. there];
    }

    /// <summary>Streams that come through a gateway.</summary>
    HashSet<Track> Through(Node gateway) => [.. sessions.Live.Where(track => track.IsStreaming && track.Gateway == gateway.Grpc)];

    async Task<string?> AddressAsync(Node node) => (await DescribeAsync())?.Silos.SingleOrDefault(silo => silo.Name == node.Name && silo.Status == "Active")?.Address;

    async Task<ClusterDescription?> DescribeAsync()
    {
        try
        {
            return await new Protocol.V1.Cluster.ClusterClient(client.Invoker).DescribeAsync(new DescribeClusterRequest(), deadline: DateTime.UtcNow + LookLimit);
        }
        catch (Grpc.Core.RpcException)
        {
            return null;
        }
    }

    /// <summary>A process something is to be done to, and the streams that are generated on it or come through it.</summary>
    sealed record Victim(Node? Node, HashSet<Track> Sessions);
}
