using IgptCluster.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A store, silos and gateways as processes, to be killed one by one; all are killed when disposed.</summary>
internal sealed class ClusterProcesses : IAsyncDisposable
{
    readonly string _id = Guid.NewGuid().ToString("N");
    readonly List<ServerProcess> _all = [];

    ClusterProcesses(StoreProcess store) => Store = store;

    public StoreProcess Store { get; }

    /// <summary>Those that were started, dead ones included.</summary>
    public List<ServerProcess> Silos { get; } = [];

    public List<ServerProcess> Gateways { get; } = [];

    static string[] Arguments => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"), "--slots", "2", "--gateway", "false"];

    public static async Task<ClusterProcesses> StartAsync(int silos, int gateways)
    {
        var cluster = new ClusterProcesses(await StoreProcess.StartAsync());
        try
        {
            await Task.WhenAll(Enumerable.Range(0, silos).Select(_ => cluster.AddSiloAsync()));
            await Task.WhenAll(Enumerable.Range(0, gateways).Select(_ => cluster.AddGatewayAsync()));
            await cluster.UntilReadyAsync(silos);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>One silo more.</summary>
    public async Task<ServerProcess> AddSiloAsync() => Added(await ServerProcess.StartSiloOnStoreAsync(Store.Address, _id, Arguments), Silos);

    /// <summary>One gateway more.</summary>
    public async Task<ServerProcess> AddGatewayAsync() => Added(await ServerProcess.StartGatewayAsync(Silos[0], Store.Address), Gateways);

    /// <summary>A client of all gateways, dead ones included.</summary>
    /// <summary>Starts a gateway that has ended again, on its ports.</summary>
    public async Task<ServerProcess> RestartGatewayAsync(ServerProcess gateway)
    {
        await gateway.EndAsync();
        return Added(await gateway.StartAgainAsync(), Gateways);
    }

    public IgptClient Connect() => new([.. Gateways.Select(gateway => gateway.GrpcAddress!)]);

    /// <summary>Waits until as many replicas take work.</summary>
    public async Task UntilReadyAsync(int replicas) => await UntilAsync($"{replicas} replicas are ready", now => now.Replicas.Count(replica => replica.State == "ready") == replicas);

    /// <summary>Waits for what the cluster tells of itself.</summary>
    public async Task UntilAsync(string what, Func<ClusterDescription, bool> holds)
    {
        using IgptClient client = Connect();
        var calls = new Cluster.ClusterClient(client.Invoker);
        await Gateways[^1].UntilAsync(what, async () => holds(await calls.DescribeAsync(new DescribeClusterRequest(), cancellationToken: TestContext.Current.CancellationToken)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ServerProcess server in _all)
        {
            await server.DisposeAsync();
        }

        await Store.DisposeAsync();
    }

    ServerProcess Added(ServerProcess server, List<ServerProcess> kind)
    {
        lock (_all)
        {
            _all.Add(server);
            kind.Add(server);
        }

        return server;
    }
}
