using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>
/// The store of a data folder: a process of its own, so that it outlives a silo that crashes, which finds it again when it is started anew. Whoever stops in order
/// stops it.
/// </summary>
public sealed partial class EmbeddedStore
{
    const string Program = "igpt-store";
    const string AddressFile = "address.json"; // both written by the store
    const string PasswordFile = "password";
    const int Terminate = 15; // the signal
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    readonly int _process;

    EmbeddedStore(string address, int process) => (Address, _process) = (address, process);

    /// <summary>Whether this process has started it, and not found it running.</summary>
    public bool IsOwn { get; private init; }

    /// <summary>Its address, with the password.</summary>
    public string Address { get; }

    /// <summary>Finds a folder's store, or starts it.</summary>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <exception cref="InvalidOperationException">It cannot be started; the message has its words.</exception>
    public static async Task<EmbeddedStore> StartAsync(string folder)
    {
        // Others' settings depend on its address: the process's own logging is not there yet.
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging.AddConsole().AddIgptLogging());
        ILogger logger = loggers.CreateLogger<EmbeddedStore>();
        string full = Path.GetFullPath(folder);
        if (await FindAsync(full) is { } running)
        {
            LogFound(logger, full);
            return running;
        }

        (string program, string[] first) = FindProgram();
        using Process process = Process.Start(new ProcessStartInfo(program, [.. first, "--folder", full, "--detach"]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException($"{program} cannot be started");
        var waited = Stopwatch.StartNew();
        while (waited.Elapsed < Limit)
        {
            if (await FindAsync(full) is { } started)
            {
                LogStarted(logger, full, waited.Elapsed.TotalSeconds);
                return new EmbeddedStore(started.Address, started._process) { IsOwn = true };
            }

            if (process.HasExited)
            {
                throw new InvalidOperationException(
                    $"the store of {full} exited with {process.ExitCode}: {(await process.StandardError.ReadToEndAsync()).Trim()}. Name another folder (--data FOLDER), a store (--store HOST:PORT), or keep nothing (--no-store)");
            }

            await Task.Delay(LookInterval);
        }

        throw new InvalidOperationException($"the store of {full} did not answer within {Limit.TotalSeconds} s");
    }

    /// <summary>Stops it in order; returns when its process has ended.</summary>
    public async Task StopAsync()
    {
        try
        {
            using Process process = Process.GetProcessById(_process);
            if (OperatingSystem.IsWindows())
            {
                process.Kill();
            }
            else
            {
                _ = Kill(_process, Terminate);
            }

            using var limit = new CancellationTokenSource(Limit);
            await process.WaitForExitAsync(limit.Token);
        }
        catch (ArgumentException)
        {
            // It has ended already.
        }
    }

    /// <summary>The store that says it serves the folder, if it answers and takes the folder's password.</summary>
    static async Task<EmbeddedStore?> FindAsync(string folder)
    {
        (string file, string secret) = (Path.Combine(folder, AddressFile), Path.Combine(folder, PasswordFile));
        try
        {
            using JsonDocument said = JsonDocument.Parse(await File.ReadAllTextAsync(file));
            int port = said.RootElement.GetProperty("port").GetInt32();
            string password = (await File.ReadAllTextAsync(secret)).Trim();
            string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port},password={password}");
            await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(address);
            await connection.GetDatabase().PingAsync();
            return new EmbeddedStore(address, said.RootElement.GetProperty("process").GetInt32());
        }
        catch (Exception missing) when (missing is IOException or JsonException or RedisException or KeyNotFoundException)
        {
            return null;
        }
    }

    // Where it is published, in a folder beside this program; else where the build puts it.
    static (string Program, string[] First) FindProgram()
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string published = Path.Combine(own.FullName, "store", Program);
        string built = Path.Combine(own.Parent!.Parent!.FullName, "Store", own.Name, Program + ".dll");
        return File.Exists(published) ? (published, [])
            : File.Exists(built) ? ("dotnet", [built])
            : throw new InvalidOperationException($"the embedded store is not there: expected {published} or {built}. Build or publish src/Store, use --store with the address of a Redis-compatible store, or keep nothing (--no-store)");
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [LoggerMessage(4101, LogLevel.Information, "The store of {Folder} was running already")]
    static partial void LogFound(ILogger logger, string folder);

    [LoggerMessage(4102, LogLevel.Information, "The store of {Folder} started in {Seconds:0.0} s")]
    static partial void LogStarted(ILogger logger, string folder, double seconds);
}
