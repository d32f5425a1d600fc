using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace IgptCluster.Chaos.Nodes;

/// <summary>A store, silos and gateways as processes of this machine, on free loopback ports. Ended by their own handles when disposed.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    // Below those from which the system takes ports of outgoing connections, so that a process that is started again finds its own free.
    const int FirstPort = 20_000;
    const int PortCount = 12_000;

    readonly string _id;
    readonly HashSet<int> _ports = [];
    readonly ChaosSettings _settings;
    readonly string _folder;
    readonly INodeWatch _watch;
    readonly string _storeFolder;

    /// <summary>A new cluster.</summary>
    /// <param name="folder">Where its logs go, and its store's data.</param>
    /// <param name="watch">Told how its processes end.</param>
    internal LocalCluster(ChaosSettings settings, string folder, INodeWatch watch)
        : this(settings, folder, Path.Combine(folder, "store"), Guid.NewGuid().ToString("N"), watch)
    {
    }

    LocalCluster(ChaosSettings settings, string folder, string storeFolder, string id, INodeWatch watch)
    {
        (_settings, _folder, _storeFolder, _id, _watch) = (settings, folder, storeFolder, id, watch);
        int[] port = Ports(1);
        Store = Create("store", NodeKind.Store, "Store/igpt-store.dll", ["--folder", StoreFolder, "--port", Text(port[0])], port);
    }

    internal Node Store { get; }

    internal IReadOnlyList<Node> Silos { get; private set; } = [];

    internal IReadOnlyList<Node> Gateways { get; private set; } = [];

    /// <summary>Whether the silos' runner gives a sequence the same bits alone and in any batch: libtorch's products do not.</summary>
    internal bool IsBatchInvariant => !Silos[0].HasLogged("for the libtorch runner");

    /// <summary>The store's data.</summary>
    internal string StoreFolder => _storeFolder;

    /// <summary>The same cluster with one silo and one gateway, on a copy of the store's folder; this one must have ended.</summary>
    /// <param name="copy">The copy.</param>
    internal LocalCluster OnCopy(string copy)
    {
        string folder = Directory.CreateDirectory($"{copy}-logs").FullName;
        return new LocalCluster(_settings with { Silos = 1, Gateways = 1 }, folder, copy, _id, _watch);
    }

    /// <summary>Starts all; returns when all serve, or when the store refuses its folder.</summary>
    internal async Task StartAsync(CancellationToken cancellationToken)
    {
        await Store.StartAsync(cancellationToken);
        if (!Store.IsUp)
        {
            return;
        }

        using JsonDocument told = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(StoreFolder, "address.json"), cancellationToken));
        string[] store = ["--store", $"127.0.0.1:{told.RootElement.GetProperty("port").GetInt32()}", "--store-password-file", Path.Combine(StoreFolder, "password")];
        Silos = [.. Enumerable.Range(1, _settings.Silos).Select(number => Silo($"silo-{number}", store))];
        Gateways = [.. Enumerable.Range(1, _settings.Gateways).Select(number => Gateway($"gateway-{number}", store))];
        await Task.WhenAll(Silos.Concat(Gateways).Select(node => node.StartAsync(cancellationToken)));
    }

    /// <summary>Nothing is started any more: an interrupt of this program reaches its processes, too.</summary>
    internal void Forbid() => Array.ForEach([.. Gateways, .. Silos, Store], node => node.Forbid());

    public async ValueTask DisposeAsync()
    {
        Forbid();
        foreach (Node node in Gateways.Concat(Silos).Append(Store))
        {
            await node.DisposeAsync();
        }
    }

    Node Silo(string name, string[] store)
    {
        int[] ports = Ports(3);
        return Create(
            name,
            NodeKind.Silo,
            "Silo/IgptCluster.Silo.dll",
            [
                "--name", name, "--gateway", "false", "--model", _settings.Model, "--slots", Text(_settings.Slots), "--http", $"127.0.0.1:{ports[2]}", "--silo-port", Text(ports[0]),
                "--client-port", Text(ports[1]), "--cluster-id", _id, .. store, .. Threads(), .. _settings.SiloOptions,
            ],
            ports);
    }

    /// <summary>Silos share this machine's processors: each of them with all would spend them on waiting for threads that another has displaced.</summary>
    string[] Threads() => Array.Exists(_settings.SiloOptions, option => option.StartsWith("--threads", StringComparison.Ordinal))
        ? []
        : ["--threads", Text(Math.Max(1, Environment.ProcessorCount / _settings.Silos))];

    Node Gateway(string name, string[] store)
    {
        int[] ports = Ports(4);
        return Create(
            name,
            NodeKind.Gateway,
            "Gateway/IgptCluster.Gateway.dll",
            [
                $"--Igpt:Cluster:Name={name}", $"--Igpt:Listen:Grpc=127.0.0.1:{ports[3]}", $"--Igpt:Listen:Http=127.0.0.1:{ports[2]}", $"--Igpt:Cluster:SiloPort={ports[0]}",
                $"--Igpt:Cluster:ClientPort={ports[1]}", $"--Igpt:Cluster:ClusterId={_id}", .. store,
            ],
            ports);
    }

    Node Create(string name, NodeKind kind, string program, string[] arguments, int[] ports) => new(name, kind, program, arguments, ports, _folder) { EndedByItself = _watch.EndedByItself, Refused = _watch.Refused };

    int[] Ports(int count)
    {
        int[] ports = new int[count];
        for (int i = 0; i < count;)
        {
            int port = FirstPort + Random.Shared.Next(PortCount);
            if (!_ports.Contains(port) && IsFree(port))
            {
                _ports.Add(ports[i++] = port);
            }
        }

        return ports;
    }

    static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
