using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>
/// The process that serves a data folder: found by the folder's socket and the nonce of its start, never by a process id alone, which may be another program's by now.
/// </summary>
internal sealed partial class StoreProcess : IDisposable
{
    const string Program = "igpt-store";
    const string AddressFile = "address.json"; // written by the store, as the password
    const string PasswordFile = "password";
    const string StartingFile = "starting"; // touched by it each second
    const string NonceKey = "igpt-store/nonce";
    const int Damaged = 4; // its exit code
    const int Terminate = 15; // the signals
    const int Kill = 9;
    const int MaxErrorLength = 1000;

    static readonly TimeSpan StartingLimit = TimeSpan.FromSeconds(15);

    readonly Process _process;
    readonly StringBuilder _errors = new();

    StoreProcess(Process process, bool isOwn) => (_process, IsOwn) = (process, isOwn);

    /// <summary>Whether this process has started it, and not a node before: only then are its words and its exit code known.</summary>
    internal bool IsOwn { get; }

    /// <summary>Whether the process has ended.</summary>
    internal bool HasEnded => _process.HasExited;

    /// <summary>Whether it ended because its data is damaged: starting it again is of no use. Of one that a node before has started this is not known; the next start tells.</summary>
    internal bool IsDamaged => IsOwn && HasEnded && _process.ExitCode == Damaged;

    /// <summary>What it wrote when it failed; nothing unless <see cref="IsOwn"/>.</summary>
    internal string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString().Trim();
            }
        }
    }

    /// <summary>What it wrote to its error output since this was last asked for, or it began.</summary>
    internal string TakeErrors()
    {
        lock (_errors)
        {
            string errors = Errors;
            _errors.Clear();
            return errors;
        }
    }

    /// <summary>The address of a folder's store, as StackExchange.Redis reads it.</summary>
    /// <param name="folder">The folder, a full path.</param>
    /// <exception cref="IOException">There is no password yet.</exception>
    internal static string Address(string folder) => $"!{Path.Combine(folder, "run", "store.sock")},password={File.ReadAllText(Path.Combine(folder, PasswordFile)).Trim()}";

    /// <summary>Whether a folder's store says that it is getting ready: comparing its files and reading them may take long.</summary>
    /// <param name="folder">The folder, a full path.</param>
    internal static bool IsStarting(string folder) => DateTime.UtcNow - File.GetLastWriteTimeUtc(Path.Combine(folder, StartingFile)) < StartingLimit; // of no file: long ago

    /// <summary>Starts a folder's store; returns before it answers.</summary>
    /// <param name="folder">The folder, a full path.</param>
    /// <param name="options">How much memory and disk it may take.</param>
    /// <exception cref="InvalidOperationException">The program is not there, or cannot be started.</exception>
    internal static StoreProcess Start(string folder, StoreOptions options)
    {
        (string program, string[] first) = FindProgram();
        var start = new ProcessStartInfo(program, [.. first, "--folder", folder, "--memory", Text(options.Memory), "--max-disk", Text(options.MaxDisk), "--detach"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetDirectoryName(DotnetHost()) is { Length: > 0 } root)
        {
            start.Environment["DOTNET_ROOT"] = root; // a published store runs on the .NET of this process, wherever that is
        }

        try
        {
            var store = new StoreProcess(Process.Start(start)!, isOwn: true);
            store._process.ErrorDataReceived += (_, line) => store.Keep(line.Data);
            store._process.BeginErrorReadLine();
            store._process.BeginOutputReadLine();
            return store;
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new InvalidOperationException($"the embedded store cannot be started: '{program}' cannot be run ({failure.Message}). Make it executable, use --store with the address of a Redis-compatible store, or keep nothing (--no-store)", failure);
        }
    }

    /// <summary>The process that serves a folder, if it answers, takes the folder's password and knows the nonce of its start.</summary>
    /// <param name="folder">The folder, a full path.</param>
    internal static async Task<StoreProcess?> FindAsync(string folder)
    {
        try
        {
            using JsonDocument said = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, AddressFile)));
            string socket = Path.Combine(folder, "run", "store.sock");
            string nonce = said.RootElement.GetProperty("nonce").GetString()!;
            ConfigurationOptions options = ConfigurationOptions.Parse(Address(folder));
            using Socket held = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await held.ConnectAsync(new UnixDomainSocketEndPoint(socket));
            await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(options);
            if (await connection.GetDatabase().StringGetAsync(NonceKey) != nonce)
            {
                return null;
            }

            // While its connection is open the process is there, and its id is no one else's.
            return new StoreProcess(Process.GetProcessById(OperatingSystem.IsLinux() ? Peer(held) : said.RootElement.GetProperty("process").GetInt32()), isOwn: false);
        }
        catch (Exception missing) when (missing is IOException or JsonException or RedisException or KeyNotFoundException or SocketException or ArgumentException or InvalidOperationException or TimeoutException)
        {
            return null;
        }
    }

    /// <summary>Stops it in order; kills it if it does not end in time.</summary>
    /// <param name="limit">How long it may take.</param>
    internal async Task StopAsync(TimeSpan limit)
    {
        Signal(Terminate);
        using var waited = new CancellationTokenSource(limit);
        try
        {
            await _process.WaitForExitAsync(waited.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
        }
    }

    /// <summary>Kills it; returns when it has ended.</summary>
    internal async Task KillAsync()
    {
        Signal(Kill);
        await _process.WaitForExitAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _process.Dispose();

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    void Signal(int signal)
    {
        if (_process.HasExited)
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            _process.Kill();
        }
        else
        {
            _ = SendSignal(_process.Id, signal);
        }
    }

    void Keep(string? line)
    {
        lock (_errors)
        {
            if (line is not null && _errors.Length < MaxErrorLength)
            {
                _errors.Append(line).Append(' ');
            }
        }
    }

    /// <summary>The process that listens at the other end of a Unix socket, as the kernel tells it.</summary>
    static int Peer(Socket connected)
    {
        const int SocketLevel = 1;
        const int PeerCredentials = 17; // pid, uid, gid
        Span<byte> credentials = stackalloc byte[12];
        connected.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return MemoryMarshal.Read<int>(credentials);
    }

    // Where it is published, in a folder beside this program; else where the build puts it.
    static (string Program, string[] First) FindProgram()
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string published = Path.Combine(own.FullName, "store", Program);
        string built = Path.Combine(own.Parent!.Parent!.FullName, "Store", own.Name, Program + ".dll");
        return File.Exists(published) ? (published, [])
            : File.Exists(built) ? (DotnetHost(), [built])
            : throw new InvalidOperationException($"the embedded store is not there: expected {published} or {built}. Build or publish src/Store, use --store with the address of a Redis-compatible store, or keep nothing (--no-store)");
    }

    /// <summary>The program that runs this process's .NET: <c>dotnet</c> need not be in PATH.</summary>
    static string DotnetHost()
    {
        // <root>/shared/Microsoft.NETCore.App/<version>/
        string own = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));
        return File.Exists(own) ? own : "dotnet";
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
