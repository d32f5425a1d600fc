using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace IgptCluster.Chaos.Nodes;

/// <summary>One process of the cluster and those that follow it under its name and ports. One caller at a time.</summary>
/// <param name="name">In the membership and of its log.</param>
/// <param name="program">Its project.</param>
/// <param name="arguments">How it is started, each time.</param>
/// <param name="ports">Its ports: the first for other members, the last for clients.</param>
/// <param name="folder">Where its log goes.</param>
internal sealed class Node(string name, NodeKind kind, string program, string[] arguments, int[] ports, string folder) : IAsyncDisposable
{
    static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(240);

    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(250); // as EmbeddedStore in Hosting
    static readonly TimeSpan MaxBackoff = TimeSpan.FromSeconds(5);
    const int Damaged = 4; // of a store: it is of no use to start it again

    readonly Lock _lock = new();
    string _lastWord = "";
    Process? _process;
    volatile bool _isForbidden;
    TaskCompletionSource _ready = new();

    internal string Name => name;

    internal NodeKind Kind => kind;

    internal int SiloPort => ports[0];

    string LogFile => Path.Combine(folder, $"{name}.log");

    internal Uri Grpc => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ports[^1]}"));

    /// <summary>Whether it serves, and nothing is being done to it.</summary>
    internal bool IsUp { get; private set; }

    /// <summary>Told when it ends although nobody has ended it.</summary>
    internal Action<Node, int> EndedByItself { get; init; } = (_, _) => { };

    /// <summary>Told when it ends before it is ready, with its exit code and the last line that it wrote to standard error.</summary>
    internal Action<Node, int, string> Refused { get; init; } = (_, _, _) => { };

    /// <summary>How often it has ended before it was ready.</summary>
    internal int Refusals { get; private set; }

    internal Task Exited { get; private set; } = Task.CompletedTask;

    internal int ExitCode { get; private set; }

    /// <summary>Starts it, and again, later each time, if it ends before it is ready: the store may be away, its disk full. A store that says that its data is damaged is not started again.</summary>
    internal async Task StartAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ReadyLimit);
        for (TimeSpan backoff = FirstBackoff; ; backoff = backoff * 2 < MaxBackoff ? backoff * 2 : MaxBackoff)
        {
            if (_isForbidden)
            {
                return;
            }

            Launch();
            await Task.WhenAny(kind == NodeKind.Gateway ? AnswersAsync(limit.Token) : _ready.Task, Exited).WaitAsync(limit.Token);
            if (!Exited.IsCompleted)
            {
                break;
            }

            if (!_isForbidden)
            {
                Refusals++;
                Refused(this, ExitCode, LastWord());
            }

            if (kind == NodeKind.Store && ExitCode == Damaged)
            {
                return;
            }

            await Task.Delay(backoff, limit.Token);
        }

        IsUp = true;
    }

    /// <summary>The last line that it wrote to standard error since it was started.</summary>
    internal string LastWord()
    {
        lock (_lock)
        {
            return _lastWord;
        }
    }

    /// <summary>Whether it is started no more.</summary>
    internal bool IsForbidden => _isForbidden;

    /// <summary>Starts it no more.</summary>
    internal void Forbid() => _isForbidden = true;

    /// <summary>Whether its log has some words.</summary>
    internal bool HasLogged(string words)
    {
        using var log = new StreamReader(new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return log.ReadToEnd().Contains(words, StringComparison.Ordinal);
    }

    /// <summary>Ends it at once.</summary>
    internal async Task KillAsync()
    {
        IsUp = false;
        _process!.Kill();
        await Exited;
    }

    /// <summary>Freezes it: it does nothing, and its connections stay.</summary>
    internal void Freeze()
    {
        IsUp = false;
        Signal("STOP");
    }

    /// <summary>Lets it go on, to find out what became of it.</summary>
    internal void Thaw() => Signal("CONT");

    /// <summary>Lets it go on and serve.</summary>
    internal void Wake()
    {
        Signal("CONT");
        IsUp = true;
    }

    /// <summary>Asks it to end in order.</summary>
    internal async Task TerminateAsync(TimeSpan limit)
    {
        IsUp = false;
        Signal("TERM");
        await Exited.WaitAsync(limit);
    }

    public async ValueTask DisposeAsync()
    {
        if (!Exited.IsCompleted)
        {
            await KillAsync();
        }

        _process?.Dispose();
    }

    /// <summary>A gateway tells by its health when some replica takes work.</summary>
    async Task AnswersAsync(CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ports[2]}")) };
        using var tick = new PeriodicTimer(LookInterval);
        while (!Exited.IsCompleted && await tick.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                using HttpResponseMessage answer = await http.GetAsync(new Uri("/readyz", UriKind.Relative), cancellationToken);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not yet.
            }
        }
    }

    void Launch()
    {
        _process?.Dispose();
        lock (_lock)
        {
            _lastWord = "";
        }

        var ready = _ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var start = new ProcessStartInfo("dotnet", [FileOf(program), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_hostBuilder__reloadConfigOnChange"] = "false"; // each watches its settings otherwise, and a machine has few watches
        start.Environment["Logging__LogLevel__Orleans.Runtime.MembershipService"] = "Information"; // who suspects whom
        var log = new StreamWriter(LogFile, append: true, Encoding.UTF8) { AutoFlush = true };
        Process process = _process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Read(line.Data);
        process.ErrorDataReceived += (_, line) =>
        {
            Read(line.Data);
            Keep(line.Data);
        };
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Exited = EndAsync();

        void Keep(string? line)
        {
            lock (_lock)
            {
                if (!string.IsNullOrWhiteSpace(line))
                {
                    _lastWord = line;
                }
            }
        }

        void Read(string? line)
        {
            lock (_lock)
            {
                if (line is not null)
                {
                    log.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {line}");
                }
            }

            if (line?.StartsWith("Ready", StringComparison.Ordinal) == true)
            {
                ready.TrySetResult();
            }
        }

        async Task EndAsync()
        {
            await process.WaitForExitAsync();
            ExitCode = process.ExitCode;
            await log.DisposeAsync();
            if (IsUp && !_isForbidden)
            {
                IsUp = false;
                EndedByItself(this, ExitCode);
            }
        }
    }

    void Signal(string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    // bin/PROJECT/CONFIGURATION lie side by side.
    static string FileOf(string program)
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string[] parts = program.Split('/');
        return Path.Combine(own.Parent!.Parent!.FullName, parts[0], own.Name, parts[1]);
    }
}
