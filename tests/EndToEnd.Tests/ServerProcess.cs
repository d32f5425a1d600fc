using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A real silo or gateway process on free loopback ports; killed by its own handle when disposed.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    // A busy machine is no failure.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    readonly ConcurrentQueue<string> _output = new();
    readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    ServerProcess(Process process, Uri? grpc)
    {
        Process = process;
        GrpcAddress = grpc;
    }

    public Process Process { get; }

    /// <summary>Where gRPC is answered.</summary>
    public Uri? GrpcAddress { get; private set; }

    public Uri? HttpAddress { get; private set; }

    public int SiloPort { get; private init; }

    public string ClusterId { get; private init; } = "";

    /// <summary>Everything the process has written so far.</summary>
    public string Output => string.Join('\n', _output);

    public static Task<ServerProcess> StartSiloAsync(params string[] arguments)
    {
        int[] ports = FreePorts(2);

        // What is in a folder belongs to one cluster: who starts again on it starts the same.
        string cluster = Array.IndexOf(arguments, "--data") is >= 0 and var at ? Path.GetFileName(arguments[at + 1]) : Guid.NewGuid().ToString("N");
        return StartAsync(
            "Silo",
            [
                "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(ports[0]), "--client-port", Text(ports[1]), "--cluster-id", cluster,
                .. arguments, .. Forgetful(arguments),
            ],
            ports[0],
            cluster,
            grpc: null);
    }

    /// <summary>A silo with something in its environment.</summary>
    public static Task<ServerProcess> StartSiloInAsync((string Name, string? Value)[] environment, params string[] arguments)
    {
        int[] ports = FreePorts(2);
        string cluster = Guid.NewGuid().ToString("N");
        return StartAsync(
            "Silo",
            ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(ports[0]), "--client-port", Text(ports[1]), "--cluster-id", cluster, .. arguments, .. Forgetful(arguments)],
            ports[0],
            cluster,
            grpc: null,
            environment);
    }

    /// <summary>A silo of a user whose home folder is given, and holds its sessions.</summary>
    public static Task<ServerProcess> StartSiloInHomeAsync(string home, params string[] arguments) => StartSiloInHomeAsync(home, [], arguments);

    /// <summary>Starts a silo of a user whose home is a given folder, with further variables of the environment; null takes one away.</summary>
    public static Task<ServerProcess> StartSiloInHomeAsync(string home, (string Name, string? Value)[] environment, params string[] arguments)
    {
        int[] ports = FreePorts(2);
        string cluster = Guid.NewGuid().ToString("N");
        return StartAsync(
            "Silo",
            ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(ports[0]), "--client-port", Text(ports[1]), "--cluster-id", cluster, .. arguments],
            ports[0],
            cluster,
            grpc: null,
            [("HOME", home), ("XDG_DATA_HOME", null), .. environment]);
    }

    /// <summary>The same, by the silo's own executable instead of <c>dotnet</c>, beside which a process would find another <c>dotnet</c>.</summary>
    public static Task<ServerProcess> StartSiloByItsExecutableAsync(string home, (string Name, string? Value)[] environment, params string[] arguments)
    {
        int port = FreePorts(1)[0];
        string cluster = Guid.NewGuid().ToString("N");
        ProcessStartInfo start = StartOf("Silo", ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(port), "--cluster-id", cluster, .. arguments], FolderOf("Silo"));
        start.FileName = Path.ChangeExtension(start.ArgumentList[0], null);
        start.ArgumentList.RemoveAt(0);
        return StartAsync(new ServerProcess(new Process { StartInfo = start }, grpc: null) { SiloPort = port, ClusterId = cluster }, [("HOME", home), ("XDG_DATA_HOME", null), .. environment]);
    }

    /// <summary>A silo that joins another's cluster.</summary>
    public static Task<ServerProcess> JoinSiloAsync(ServerProcess first, params string[] arguments)
    {
        int[] ports = FreePorts(2);
        return StartAsync(
            "Silo",
            [
                "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(ports[0]), "--client-port", Text(ports[1]), "--cluster-id", first.ClusterId,
                "--primary-port", Text(first.SiloPort), .. arguments, .. Forgetful(arguments),
            ],
            ports[0],
            first.ClusterId,
            grpc: null);
    }

    // A test that does not say where must leave nothing in the user's home.
    static string[] Forgetful(string[] arguments) => arguments.Contains("--data") ? [] : ["--no-store"];

    /// <summary>A silo of a cluster whose membership is in a store.</summary>
    public static Task<ServerProcess> StartSiloOnStoreAsync(string store, string cluster, params string[] arguments)
    {
        int[] ports = FreePorts(2);
        return StartAsync(
            "Silo",
            [
                "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--silo-port", Text(ports[0]), "--client-port", Text(ports[1]), "--cluster-id", cluster,
                .. arguments,
            ],
            ports[0],
            cluster,
            grpc: null,
            ("Igpt__Store__Address", store));
    }

    /// <summary>A gateway of its own that joins a silo's cluster.</summary>
    /// <param name="silo">A silo of the cluster.</param>
    /// <param name="store">Where the membership is; null: with the silo.</param>
    public static async Task<ServerProcess> StartGatewayAsync(ServerProcess silo, string? store = null)
    {
        string[] membership = store is null ? [$"--Igpt:Cluster:PrimaryPort={silo.SiloPort}", "--Igpt:Store:Enabled=false"] : [];
        int[] ports = FreePorts(4);
        var grpc = new Uri($"http://127.0.0.1:{ports[2]}");
        ServerProcess gateway = await StartAsync(
            "Gateway",
            [
                $"--Igpt:Listen:Grpc=127.0.0.1:{ports[2]}", $"--Igpt:Listen:Http=127.0.0.1:{ports[3]}", $"--Igpt:Cluster:SiloPort={ports[0]}",
                $"--Igpt:Cluster:ClientPort={ports[1]}", .. membership, $"--Igpt:Cluster:ClusterId={silo.ClusterId}",
            ],
            ports[0],
            silo.ClusterId,
            grpc,
            ("Igpt__Store__Address", store));
        gateway.HttpAddress = new Uri($"http://127.0.0.1:{ports[3]}");
        return gateway;
    }

    /// <summary>A gateway that is a cluster of its own, with an embedded store. It has no device and gets never ready: returns at once.</summary>
    public static ServerProcess LaunchGatewayOnFolder(string folder)
    {
        int[] ports = FreePorts(4);
        string[] arguments =
        [
            $"--Igpt:Listen:Grpc=127.0.0.1:{ports[2]}", $"--Igpt:Listen:Http=127.0.0.1:{ports[3]}", $"--Igpt:Cluster:SiloPort={ports[0]}",
            $"--Igpt:Cluster:ClientPort={ports[1]}", $"--Igpt:Store:Folder={folder}", $"--Igpt:Cluster:ClusterId={Guid.NewGuid():N}",
        ];
        var server = new ServerProcess(new Process { StartInfo = StartOf("Gateway", arguments, FolderOf("Gateway")) }, new Uri($"http://127.0.0.1:{ports[2]}")) { HttpAddress = new Uri($"http://127.0.0.1:{ports[3]}") };
        server.Start();
        return server;
    }

    /// <summary>Runs a server that is to end by itself, and gives what it wrote.</summary>
    public static Task<(int Code, string Output)> RunToEndAsync(string project, string[] arguments, params (string Name, string Value)[] environment) =>
        RunToEndAsync(project, arguments, FolderOf(project), environment);

    /// <summary>Runs a server in a working folder; it is to end by itself.</summary>
    public static Task<(int Code, string Output)> RunToEndInAsync(string workingFolder, string project, params string[] arguments) =>
        RunToEndAsync(StartOf(project, arguments, FolderOf(project)), workingFolder);

    /// <summary>Runs a copy of a server that is to end by itself, and gives what it wrote.</summary>
    public static Task<(int Code, string Output)> RunToEndAsync(string project, string[] arguments, string folder, params (string Name, string Value)[] environment) =>
        RunToEndAsync(StartOf(project, arguments, folder), GoldenSet.RepositoryRoot(), environment);

    static async Task<(int Code, string Output)> RunToEndAsync(ProcessStartInfo start, string workingFolder, params (string Name, string Value)[] environment)
    {
        start.WorkingDirectory = workingFolder;
        var process = new Process { StartInfo = start };
        process.StartInfo.Environment["Igpt__Store__Enabled"] = "false";
        foreach ((string name, string value) in environment)
        {
            process.StartInfo.Environment[name] = value;
        }

        await using var server = new ServerProcess(process, grpc: null);
        server.Start();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, server.Output);
    }

    /// <summary>Sends it a signal by its name: STOP, CONT, TERM.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", Text(Process.Id)]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>Waits until it has ended.</summary>
    public async Task<int> EndAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        await Process.WaitForExitAsync(limit.Token);
        return Process.ExitCode;
    }

    /// <summary>A channel of its own: disposing it closes its connection.</summary>
    public GrpcChannel Connect() => GrpcChannel.ForAddress(GrpcAddress!, new GrpcChannelOptions
    {
        MaxReceiveMessageSize = null,
        HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true },
        DisposeHttpClient = true,
    });

    /// <summary>Starts the program again as it was started, on the same ports; it must have ended.</summary>
    public async Task<ServerProcess> StartAgainAsync()
    {
        Assert.True(Process.HasExited);
        var server = new ServerProcess(new Process { StartInfo = Process.StartInfo }, GrpcAddress) { HttpAddress = HttpAddress, SiloPort = SiloPort, ClusterId = ClusterId };
        server.Start();
        try
        {
            await server.WaitUntilReadyAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits for a condition; fails by name, with the server's output, after <see cref="Limit"/>.</summary>
    public async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        try
        {
            while (!await condition())
            {
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"not within {Limit.TotalSeconds} seconds: {what}\n{Output}");
        }
    }

    /// <summary>Slots in use, over all replicas of a model.</summary>
    public static async Task<int> SlotsUsedAsync(GrpcChannel channel, string model)
    {
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: TestContext.Current.CancellationToken);
        return cluster.Replicas.Where(replica => replica.Model == model).Sum(replica => (int)replica.SlotsUsed);
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            await Process.WaitForExitAsync(CancellationToken.None);
        }

        Process.Dispose();
    }

    /// <summary>Where a program was built: bin/project/configuration lie side by side.</summary>
    public static string FolderOf(string project)
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(own.Parent!.Parent!.FullName, project, own.Name);
    }

    static ProcessStartInfo StartOf(string project, string[] arguments, string folder)
    {
        string program = Path.Combine(folder, $"IgptCluster.{project}.dll");
        Assert.True(File.Exists(program), $"{program} is not built");
        return new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = GoldenSet.RepositoryRoot(),
        };
    }

    static Task<ServerProcess> StartAsync(string project, string[] arguments, int siloPort, string cluster, Uri? grpc, params (string Name, string? Value)[] environment) =>
        StartAsync(new ServerProcess(new Process { StartInfo = StartOf(project, arguments, FolderOf(project)) }, grpc) { SiloPort = siloPort, ClusterId = cluster }, environment);

    static async Task<ServerProcess> StartAsync(ServerProcess server, (string Name, string? Value)[] environment)
    {
        foreach ((string name, string? value) in environment)
        {
            server.Process.StartInfo.Environment[name] = value;
        }

        server.Start();
        try
        {
            await server.WaitUntilReadyAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    void Start()
    {
        Process.OutputDataReceived += (_, line) => Read(line.Data);
        Process.ErrorDataReceived += (_, line) => Read(line.Data);
        Process.Start();
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    async Task WaitUntilReadyAsync()
    {
        Task exited = Process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Task ready = GrpcAddress is null ? _ready.Task : AnswersAsync();
        Task first = await Task.WhenAny(ready, exited, Task.Delay(Limit, TestContext.Current.CancellationToken));
        Assert.True(first == ready, $"the server is not ready: {(first == exited ? $"it exited with {Process.ExitCode}" : "it takes too long")}\n{Output}");
        await ready;
    }

    async Task AnswersAsync()
    {
        using GrpcChannel channel = Connect();
        var health = new Grpc.Health.V1.Health.HealthClient(channel);
        await UntilAsync("the gateway is healthy", async () =>
        {
            try
            {
                Grpc.Health.V1.HealthCheckResponse answer = await health.CheckAsync(new Grpc.Health.V1.HealthCheckRequest());
                return answer.Status == Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.Serving;
            }
            catch (Grpc.Core.RpcException)
            {
                return false;
            }
        });
    }

    void Read(string? line)
    {
        if (line is null)
        {
            return;
        }

        _output.Enqueue(line);
        if (line.StartsWith("Ready: ", StringComparison.Ordinal))
        {
            string[] words = line.Split(' ');
            GrpcAddress = words[1] == "gRPC" ? new Uri(words[2]) : null;
            HttpAddress = words[1] == "gRPC" ? new Uri(words[4]) : null;
            _ready.TrySetResult(line);
        }
    }

    static int[] FreePorts(int count)
    {
        TcpListener[] listeners = [.. Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0))];
        Array.ForEach(listeners, listener => listener.Start());
        int[] ports = Array.ConvertAll(listeners, listener => ((IPEndPoint)listener.LocalEndpoint).Port);
        Array.ForEach(listeners, listener => listener.Dispose());
        return ports;
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
