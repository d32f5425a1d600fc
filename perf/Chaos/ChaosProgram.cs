using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using IgptCluster.Chaos.Faults;
using IgptCluster.Chaos.Nodes;
using IgptCluster.Chaos.Report;
using IgptCluster.Chaos.Work;
using IgptCluster.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos;

/// <summary>Starts a cluster, learns what it gives undisturbed, disturbs it under load, and tells what became of it.</summary>
internal sealed class ChaosProgram(ChaosSettings settings) : INodeWatch
{
    const int Variants = 32;
    const int Clients = 4;
    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(180);
    static readonly TimeSpan RestLimit = TimeSpan.FromSeconds(60);
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    const int WriteFailed = 5; // of a store: its disk is full
    const int Rewrites = 6; // of a store: it writes its records anew when it is started again
    const int DeclaredDead = 134;
    const int FirstSignal = 128;

    readonly Violations _violations = new();
    readonly Refusals _refusals = new();
    int _retries;
    int _wrongDeaths;
    Action<Node> _restart = _ => { };
    SmallDisk? _disk;

    internal async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        string folder = settings.Folder ?? Directory.CreateTempSubdirectory("igpt-chaos-").FullName;
        Directory.CreateDirectory(folder);
        try
        {
            List<string> leftOut = [];
            UseOwnModel(folder, leftOut);
            await using SmallDisk? disk = _disk = Disk(Path.Combine(folder, "store"), leftOut);
            await using var cluster = new LocalCluster(settings, folder, this);
            await using CancellationTokenRegistration interrupted = cancellationToken.Register(cluster.Forbid);
            Console.WriteLine($"Starting {settings.Silos} silos and {settings.Gateways} gateways; logs in {folder}");
            await cluster.StartAsync(cancellationToken);
            await RunAsync(cluster, new StoreCopies(folder), leftOut, cancellationToken);
        }
        finally
        {
            if (_violations.All.Count == 0 && settings.Folder is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return _violations.All.Count == 0 ? 0 : 1;
    }

    async Task RunAsync(LocalCluster cluster, StoreCopies copies, IReadOnlyList<string> leftOut, CancellationToken cancellationToken)
    {
        LoadClient[] clients = [.. Enumerable.Range(0, Clients).Select(i => Connect(cluster, i))];
        string load = LoadAverage();
        Model model = (await new Models.ModelsClient(clients[0].Calls.Invoker).ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken)).Models[0];
        Variant[] variants = await LearnAsync(clients[0].Calls, Variant.Requests(model, Variants, settings), cancellationToken);
        Console.WriteLine($"{variants.Length} requests have their undisturbed answers, of {variants.Sum(variant => variant.Reference.Sum(tokens => tokens.Length))} tokens");
        var sessions = new SessionLoad(clients, variants, settings.Seed, () => _disk?.WasFullLately == true, _refusals, _violations);
        var unary = new UnaryLoad(clients[1].Calls, model, settings.Seed, cluster.IsBatchInvariant, _violations);
        await unary.PrepareAsync();
        var saboteur = new Saboteur(settings, cluster, _disk, copies, sessions, clients[^1].Calls, model, _refusals, _violations);
        _restart = node => saboteur.StartAsync(node).ContinueWith(_ => { }, TaskScheduler.Default);
        long start = Stopwatch.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stop.CancelAfter(TimeSpan.FromMinutes(settings.Minutes));
        Task streaming = sessions.RunAsync(settings.Sessions, stop.Token);
        Task all = Task.WhenAll(streaming, unary.RunAsync(stop.Token), saboteur.RunAsync(stop.Token), TellAsync(sessions, streaming));
        await EndAsync(all, sessions, stop.Token);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        await RequireRestAsync(clients[0].Calls);
        string kept = $"{await KeptSession.CheckAsync(sessions.Kept, clients[0].Calls, "the cluster", _violations)} of {sessions.Kept.Count}";
        string[] loads = [load, LoadAverage()];
        await cluster.DisposeAsync();
        IReadOnlyList<string> copied = await copies.CheckAsync(cluster, sessions.Kept, _violations);
        var report = new ChaosReport(
            settings, Commit(), loads, seconds, sessions.Finished, sessions.Watched, sessions.Tokens, sessions.Resumptions.Times, sessions.Resumptions.Sessions, unary.Answered, unary.Longest,
            _retries, _wrongDeaths, Distribution.Of(saboteur.Declared), Recovery.Of(saboteur.Faults), kept, copied, _refusals.All, leftOut, _violations.All);
        ChaosTables.Print(report);
        if (settings.Json is { } file)
        {
            await File.WriteAllTextAsync(file, JsonSerializer.Serialize(report, Indented), CancellationToken.None);
        }

        Array.ForEach(clients, client => client.Dispose());
    }

    async Task EndAsync(Task all, SessionLoad sessions, CancellationToken stop)
    {
        await Task.WhenAny(all, Task.Delay(Timeout.Infinite, stop));
        if (await Task.WhenAny(all, Task.Delay(EndLimit, CancellationToken.None)) != all)
        {
            _violations.Add($"{EndLimit.TotalSeconds:0} s after the last fault there are still streams: {string.Join(", ", sessions.Live.Select(track => $"{track.SessionId} at {track.Next}"))}");
            return;
        }

        await all;
    }

    /// <summary>Each begins at another gateway.</summary>
    LoadClient Connect(LocalCluster cluster, int number) => new(
        [.. Enumerable.Range(0, cluster.Gateways.Count).Select(i => cluster.Gateways[(number + i) % cluster.Gateways.Count].Grpc)], () => Interlocked.Increment(ref _retries));

    static async Task<Variant[]> LearnAsync(IgptClient client, GenerateRequest[] requests, CancellationToken cancellationToken) => await Task.WhenAll(requests.Select(async request =>
    {
        List<uint>[] tokens = [.. Enumerable.Range(0, (int)Math.Max(1, request.Samples)).Select(_ => new List<uint>())];
        await foreach (GenerateEvent happened in client.GenerateAsync(request, cancellationToken: cancellationToken))
        {
            tokens[happened.Sample].AddRange(happened.Tokens?.Ids ?? []);
        }

        return new Variant(request, [.. tokens.Select(one => one.ToArray())]);
    }));

    static async Task TellAsync(SessionLoad sessions, Task streaming)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds(15));
        while (await Task.WhenAny(tick.WaitForNextTickAsync().AsTask(), streaming) != streaming)
        {
            Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {sessions.Finished} sessions ended, {sessions.Live.Count()} under way, {sessions.Tokens} tokens");
        }
    }

    /// <summary>Takes a copy of the model's folder, if the weights are to be written over.</summary>
    void UseOwnModel(string folder, List<string> leftOut)
    {
        if (!settings.Faults.Contains(nameof(FaultKind.WeightsOverwritten)))
        {
            return;
        }

        if (!File.Exists(Path.Combine(settings.Model, WeightsFile.Name)))
        {
            leftOut.Add($"{FaultKind.WeightsOverwritten} is left out: {settings.Model} has no {WeightsFile.Name}");
            settings = settings with { Faults = [.. settings.Faults.Where(fault => fault != nameof(FaultKind.WeightsOverwritten))] };
            return;
        }

        string copy = Directory.CreateDirectory(Path.Combine(folder, "model", Path.GetFileName(settings.Model))).FullName;
        foreach (string file in Directory.GetFiles(settings.Model))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)), overwrite: true);
        }

        settings = settings with { Model = copy };
    }

    /// <summary>The disk, if it is to be filled and can be.</summary>
    SmallDisk? Disk(string folder, List<string> leftOut)
    {
        if (!settings.Faults.Contains(nameof(FaultKind.StoreDiskFilled)))
        {
            return null;
        }

        SmallDisk? disk = SmallDisk.TryMount(folder, out string why);
        if (disk is null)
        {
            leftOut.Add($"{FaultKind.StoreDiskFilled} is left out, since a small disk cannot be mounted: {why}");
            Console.WriteLine(leftOut[^1]);
        }

        return disk;
    }

    /// <summary>A start may be refused, in words of the program, never by a signal or a bug.</summary>
    public void Refused(Node node, int code, string words)
    {
        _refusals.Add($"start of a {node.Kind}, exit code {code}", words);
        if ((code >= FirstSignal && code != DeclaredDead) || (code < FirstSignal && (!words.StartsWith("igpt", StringComparison.Ordinal) || words.Contains("a bug", StringComparison.Ordinal))))
        {
            _violations.Add($"{node.Name} ended with {code} before it was ready, and says no clear word: {words}");
        }
    }

    /// <summary>Nothing was done to it.</summary>
    public void EndedByItself(Node node, int code)
    {
        if (node.Kind == NodeKind.Store && (code == Rewrites || (code == WriteFailed && _disk?.WasFullLately == true)))
        {
            _refusals.Add($"end of the {node.Kind}, exit code {code}", node.LastWord());
            _restart(node);
            return;
        }

        _wrongDeaths += code == DeclaredDead ? 1 : 0;
        _violations.Add($"{node.Name} ended by itself with {code}{(code == DeclaredDead ? ": it was declared dead" : $": {node.LastWord()}")}");
        _restart(node);
    }

    /// <summary>No slot is in use, and no session runs.</summary>
    async Task RequireRestAsync(IgptClient client)
    {
        string left = "";
        for (long since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < RestLimit;)
        {
            ClusterDescription now = await new Protocol.V1.Cluster.ClusterClient(client.Invoker).DescribeAsync(new DescribeClusterRequest());
            var sessions = new List<Session>();
            foreach (SessionState state in new[] { SessionState.Running, SessionState.Queued })
            {
                sessions.AddRange((await new Sessions.SessionsClient(client.Invoker).ListAsync(new ListSessionsRequest { State = state })).Sessions);
            }

            left = string.Join(", ", now.Replicas.Where(replica => replica.SlotsUsed + replica.Running + replica.Waiting > 0).Select(replica => $"{replica.SlotsUsed} slots of {replica.Id}")
                .Concat(sessions.Select(session => $"session {session.SessionId} {session.State} at {session.Position}")));
            if (left.Length == 0 && now.Replicas.Count(replica => replica.State == "ready") == settings.Silos)
            {
                return;
            }

            left = left.Length > 0 ? left : $"only {now.Replicas.Count(replica => replica.State == "ready")} replicas";
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }

        _violations.Add($"after the end there is still: {left}");
    }

    // Linux tells it; elsewhere nothing does.
    static string LoadAverage() => File.Exists("/proc/loadavg") ? string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ')[..3]) : "?";

    static string Commit()
    {
        try
        {
            using Process git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty"]) { RedirectStandardOutput = true })!;
            return git.StandardOutput.ReadToEnd().Trim();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "?";
        }
    }
}
