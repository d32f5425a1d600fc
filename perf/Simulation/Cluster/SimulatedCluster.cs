using System.Collections.Concurrent;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace IgptCluster.Simulation.Cluster;

/// <summary>Real silos in this process with the product's grains, placement and directory of models, over simulated devices.</summary>
internal sealed class SimulatedCluster(SimulatedTopology plan) : IAsyncDisposable
{
    const int Wave = 5;
    static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(5);

    readonly ConcurrentBag<SimulatedReplica> _replicas = [];
    readonly ConcurrentDictionary<string, bool> _gateways = new();
    InProcessTestCluster? _silos;
    volatile bool _stopping;

    internal SimulatedTopology Plan { get; } = plan;

    /// <summary>The engines, in the order of their replicas.</summary>
    internal IReadOnlyList<SimulatedReplica> Replicas { get; private set; } = [];

    /// <summary>Where requests come in.</summary>
    internal IReadOnlyList<SimulatedGateway> Gateways { get; private set; } = [];

    /// <summary>Processors that the silos take without any load: their own timers go by this machine's clock.</summary>
    internal double IdleProcessors { get; private set; }

    internal string Model => Plan.Roofline.Model.Name;

    /// <summary>Starts the silos, and waits until each has its replica.</summary>
    internal static async Task<SimulatedCluster> StartAsync(SimulatedTopology plan)
    {
        var cluster = new SimulatedCluster(plan);
        await cluster.StartSilosAsync();
        return cluster;
    }

    public async ValueTask DisposeAsync()
    {
        if (_silos is not null)
        {
            // Nobody is left to whom anything could be handed over: a hundred silos that leave in good order take a quarter of an hour.
            _stopping = true;
            await Task.WhenAll(_silos.Silos.ToArray().Select(silo => _silos.KillSiloAsync(silo)));
            await _silos.DisposeAsync();
        }
    }

    async Task StartSilosAsync()
    {
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 1);
#pragma warning disable ORLEANSEXP003 // the product's directory, still experimental in Orleans 10.4
        builder.Options.UseDistributedGrainDirectory = true;
#pragma warning restore ORLEANSEXP003
        builder.Options.InitializeClientOnDeploy = false;
        builder.Options.ConfigureFileLogging = false;
        int configured = 0;
        builder.ConfigureSilo((options, silo) => Configure(silo, options.SiloName, isGateway: Interlocked.Increment(ref configured) > Plan.Silos));
        _silos = builder.Build();
        await _silos.DeployAsync();
        for (int left = Plan.Silos + Plan.Gateways - 1; left > 0; left -= Wave)
        {
            // Each tells all others of itself: not all at once.
            await _silos.StartSilosAsync(Math.Min(left, Wave));
            Console.Error.WriteLine($"{_silos.Silos.Count} of {Plan.Silos + Plan.Gateways} silos have started");
        }

        Gateways =
        [
            .. _silos.Silos.Where(silo => _gateways.ContainsKey(silo.Name)).Select(silo => new SimulatedGateway(
                silo.ServiceProvider.GetRequiredService<IGrainFactory>(),
                new ModelDirectory(silo.ServiceProvider.GetRequiredService<IGrainFactory>(), silo.ServiceProvider.GetRequiredService<ClusterView>(), Plan.Time))),
        ];
        await ReadyAsync();
        Plan.Time.ChangeDilation(Plan.Dilation);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        await Task.Delay(IdleTime);
        IdleProcessors = (Environment.CpuUsage.TotalTime - before) / IdleTime;
        Replicas = [.. _replicas.OrderBy(replica => replica.Id.Index)];
    }

    void Configure(ISiloBuilder silo, string name, bool isGateway)
    {
        if (isGateway)
        {
            _gateways[name] = true;
        }

        var advertisement = new SiloAdvertisement(name, isGateway ? [] : ["simulated"], isGateway ? [] : [Model]);
        silo.AddIgptGrains(advertisement);
        silo.Services.AddSingleton<TimeProvider>(Plan.Time);

        // Grains and their timers live in the simulation's time, what keeps the silos together in this machine's.
        silo.Services.UseTimeProviderForBackgroundAreas(TimeProvider.System);
        silo.Services.AddSingleton<IReplicaHost>(new SimulatedReplicaHost(advertisement, Plan, _replicas.Add));
        silo.Configure<GrainDirectoryOptions>(options => options.RangeLeaseDuration = TimeSpan.Zero);
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            // A process that is busy is no silo that is lost.
            options.LivenessEnabled = false;
            options.ProbeTimeout = TimeSpan.FromMinutes(5);
            options.IAmAliveTablePublishTimeout = TimeSpan.FromMinutes(10);
        });
        silo.Configure<SiloMessagingOptions>(options => (options.ResponseTimeout, options.SystemResponseTimeout) = (TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(10)));
        silo.Configure<ConnectionOptions>(options => options.OpenConnectionTimeout = TimeSpan.FromMinutes(2));
        silo.ConfigureLogging(logging => logging.ClearProviders().AddConsole().AddFilter(level => level >= LogLevel.Error && !_stopping));
    }

    async Task ReadyAsync()
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        IModelGrain model = Gateways[0].Grains.GetGrain<IModelGrain>(Model);
        while (await tick.WaitForNextTickAsync(limit.Token))
        {
            try
            {
                if ((await model.GetReplicasAsync()).Count(replica => replica.State == ReplicaState.Ready) == Plan.Silos)
                {
                    return;
                }
            }
            catch (Exception early) when (early is OrleansException or IgptException or TimeoutException)
            {
                // Silos know of each other a moment after they have started.
                Console.Error.WriteLine($"not ready yet: {early.Message}");
            }
        }
    }
}
