using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Storage;
using Orleans.TestingHost;

namespace IgptCluster.Grains.Tests;

/// <summary>Silos in this process with the product's grains and placement over fake devices.</summary>
internal sealed class TestCluster(InProcessTestCluster cluster, int gateways) : IAsyncDisposable
{
    // A busy machine is no failure.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public InProcessTestCluster Silos { get; } = cluster;

    public IGrainFactory Grains => Silos.Client;

    /// <summary>Silos that have a device.</summary>
    public int DeviceCount => Silos.Silos.Count - gateways;

    /// <summary>Starts silos with one device each, and after them silos without any; silos added later have one.</summary>
    public static async Task<TestCluster> StartAsync(FakeModel model, int devices = 1, int gateways = 0)
    {
        var builder = new InProcessTestClusterBuilder((short)(devices + gateways));
        int started = 0;
        builder.ConfigureSilo((options, silo) =>
        {
            bool hasDevice = Interlocked.Increment(ref started) is var number && (number <= devices || number > devices + gateways);
            var advertisement = new SiloAdvertisement(options.SiloName, hasDevice ? ["cpu"] : [], hasDevice ? ["toy", "other"] : []);
            silo.AddIgptGrains(advertisement);
            silo.AddIncomingGrainCallFilter(async call =>
            {
                if (IsSession(call.SourceId) || IsSession(call.TargetId))
                {
                    await model.BeforeSessionCall(call);
                }

                await call.Invoke();
            });
            if (model.Storage is { } storage)
            {
                silo.Services.AddKeyedSingleton<IGrainStorage>("sessions", storage);
                silo.Services.AddSingleton<IStoredSessions>(storage);
                silo.UseInMemoryReminderService();
            }

            if (model.ClusterStorage is { } clusterStorage)
            {
                silo.Services.AddKeyedSingleton<IGrainStorage>("cluster", clusterStorage);
            }

            silo.Services.AddSingleton<IReplicaHost>(new FakeReplicaHost(advertisement, model));
        });
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync(Cancelled);
        return new TestCluster(cluster, gateways);
    }

    /// <summary>Asks until the model has as many ready replicas as wanted.</summary>
    public async Task<ReplicaStatus[]> ReadyAsync(string model, int wanted)
    {
        ReplicaStatus[] ready = [];
        await UntilAsync($"{wanted} ready replicas of {model}", async () =>
        {
            ready = [.. (await Grains.GetGrain<IModelGrain>(model).GetReplicasAsync()).Where(replica => replica.State == ReplicaState.Ready)];
            return ready.Length == wanted;
        });
        return ready;
    }

    public Task<ReplicaStatus> StatusAsync(ReplicaId replica) => Grains.GetGrain<IReplicaGrain>(replica.ToString()).GetStatusAsync();

    /// <summary>
    /// Waits for a condition; fails by name after <see cref="Limit"/>. A cluster that is starting, or has just lost a silo, refuses calls for a
    /// moment: that is "not yet".
    /// </summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(Limit);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        Exception? last = null;
        try
        {
            while (!await HoldsAsync())
            {
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (!Cancelled.IsCancellationRequested)
        {
            Assert.Fail($"not within {Limit.TotalSeconds} seconds: {what}; last refusal: {last?.ToString() ?? "none"}");
        }

        async Task<bool> HoldsAsync()
        {
            try
            {
                return await condition();
            }
            catch (Exception exception) when (exception is OrleansException or TimeoutException or IgptException { Code: IgptErrorCode.ModelNotFound or IgptErrorCode.NoReplica })
            {
                last = exception;
                return false;
            }
        }
    }

    static bool IsSession(GrainId? grain) => grain?.Type == GrainType.Create("igpt.session");

    public ValueTask DisposeAsync() => Silos.DisposeAsync();
}
