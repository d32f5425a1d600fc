using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Runtime.InteropServices;
using IgptCluster.Hosting.Logging;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>
/// The store of a data folder, as a node sees it. The node that keeps the cluster's membership holds the folder's lease: it starts the store or finds the one that a killed node has left,
/// starts it again whenever it ends or answers no more, always on the same socket, and stops it when it is disposed, whatever became of the node. Nodes that join use it and no more.
/// </summary>
public sealed partial class EmbeddedStore : IAsyncDisposable
{
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(30); // it ends itself by then if its disk fails
    static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan MaxBackoff = TimeSpan.FromSeconds(5); // a disk that was full may have room again

    readonly string _folder;
    readonly StoreLease? _lease;
    readonly StoreOptions _options;
    readonly ILoggerFactory _loggers;
    readonly ILogger _logger;
    readonly CancellationTokenSource _stopping = new();
    readonly CancellationTokenSource _interrupted = new();
    readonly List<PosixSignalRegistration> _signals = [];
    StoreProcess? _process;
    Task _watch = Task.CompletedTask;

    EmbeddedStore(string folder, StoreLease? lease, StoreOptions options, IConfiguration configuration)
    {
        // Others' settings depend on its address: the process's own logging, which is as this one, is not there yet.
        _loggers = LoggerFactory.Create(logging => logging.AddConfiguration(configuration.GetSection("Logging")).AddConsole().AddIgptLogging());
        (_folder, _lease, _options, _logger) = (folder, lease, options, _loggers.CreateLogger<EmbeddedStore>());
    }

    /// <summary>Its address, with the password.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Cancelled when this process is told to stop, from the store's start on: before its host listens to signals, the store must be stopped too.</summary>
    public CancellationToken Interrupted => _interrupted.Token;

    /// <summary>Finds a folder's store, or starts it.</summary>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <param name="isOwner">Whether this node keeps the cluster's membership, and so looks after the store; else it waits for that node's.</param>
    /// <param name="options">How much memory and disk it may take.</param>
    /// <param name="configuration">How it logs.</param>
    /// <exception cref="InvalidOperationException">It cannot be started; the message has its words.</exception>
    /// <exception cref="ValidationException">Another node has the folder.</exception>
    /// <exception cref="OperationCanceledException">The process was told to stop.</exception>
    public static async Task<EmbeddedStore> StartAsync(string folder, bool isOwner, StoreOptions options, IConfiguration configuration)
    {
        string full = Path.GetFullPath(folder);
        if (full.Contains(',', StringComparison.Ordinal))
        {
            throw new ValidationException($"Igpt:Store:Folder: the path must have no comma; given '{full}'. Name another folder (--data FOLDER)");
        }

        var store = new EmbeddedStore(full, isOwner ? StoreLease.Take(full) : null, options, configuration);
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                store._signals.AddRange(new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }.Select(signal => PosixSignalRegistration.Create(signal, store.Interrupt)));
            }

            await store.FindOrStartAsync();
            store.Address = StoreProcess.Address(full);
            store._watch = isOwner ? store.WatchAsync() : Task.CompletedTask;
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watch;
        if (_lease is not null && _process is not null)
        {
            await _process.StopAsync(StopLimit);
        }

        _process?.Dispose();
        _lease?.Dispose();
        _signals.ForEach(signal => signal.Dispose());
        _loggers.Dispose();
        _stopping.Dispose();
        _interrupted.Dispose();
    }

    void Interrupt(PosixSignalContext signal)
    {
        signal.Cancel = true; // what waits ends, and the store is stopped
        _interrupted.Cancel();
    }

    async Task FindOrStartAsync()
    {
        var waited = Stopwatch.StartNew();
        _process = await StoreProcess.FindAsync(_folder);
        if (_process is not null)
        {
            LogFound(_logger, _folder);
            return;
        }

        if (_lease is not null)
        {
            _process = StoreProcess.Start(_folder, _options);
        }

        while (waited.Elapsed < StartLimit || StoreProcess.IsStarting(_folder))
        {
            Interrupted.ThrowIfCancellationRequested();
            if (await StoreProcess.FindAsync(_folder) is { } answering)
            {
                if (_process is null)
                {
                    _process = answering;
                    return;
                }

                answering.Dispose();
                LogStarted(_logger, _folder, waited.Elapsed.TotalSeconds);
                TellWords();
                return;
            }

            if (_process is { HasEnded: true })
            {
                throw new InvalidOperationException($"{_process.Errors}. Or name another folder (--data FOLDER), a store (--store HOST:PORT), or keep nothing (--no-store)");
            }

            await Task.Delay(LookInterval);
        }

        throw new InvalidOperationException(_lease is null
            ? $"no store serves {_folder}: start the cluster's first node, with the same folder, or keep nothing as it does (--no-store)"
            : $"the store of {_folder} did not answer within {StartLimit.TotalSeconds} s");
    }

    async Task WatchAsync()
    {
        TimeSpan backoff = FirstBackoff;
        try
        {
            await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(StoreExtensions.Parse(Address));
            var silent = Stopwatch.StartNew();
            while (true)
            {
                await Task.Delay(WatchInterval, _stopping.Token);
                if (!_process!.HasEnded && await AnswersAsync(connection))
                {
                    silent.Restart();
                    backoff = FirstBackoff;
                    TellWords();
                    continue;
                }

                if (!_process.HasEnded && (silent.Elapsed < SilenceLimit || StoreProcess.IsStarting(_folder)))
                {
                    continue;
                }

                if (_process.IsDamaged)
                {
                    LogDamaged(_logger, _folder, _process.Errors);
                    return;
                }

                LogRestarted(_logger, _folder, StateOf(_process), backoff.TotalSeconds, _process.Errors);
                await _process.KillAsync();
                await Task.Delay(backoff, _stopping.Token);
                backoff = backoff * 2 < MaxBackoff ? backoff * 2 : MaxBackoff;
                _process.Dispose();
                _process = StoreProcess.Start(_folder, _options);
                silent.Restart();
            }
        }
        catch (OperationCanceledException)
        {
            // This node stops.
        }
        catch (InvalidOperationException failure)
        {
            LogDamaged(_logger, _folder, failure.Message);
        }
    }

    // A store that serves says what its administrator should know: that files were damaged, or that a checkpoint failed.
    void TellWords()
    {
        if (_process!.TakeErrors() is { Length: > 0 } words)
        {
            LogSaid(_logger, _folder, words);
        }
    }

    static string StateOf(StoreProcess process) =>
        !process.HasEnded ? "does not answer"
        : process.IsOwn ? "has ended"
        : "has ended, for a reason that is not known here, since a node before had started it";

    static async Task<bool> AnswersAsync(ConnectionMultiplexer connection)
    {
        try
        {
            await connection.GetDatabase().PingAsync();
            return true;
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return false;
        }
    }

    [LoggerMessage(4101, LogLevel.Information, "The store of {Folder} was running already")]
    static partial void LogFound(ILogger logger, string folder);

    [LoggerMessage(4102, LogLevel.Information, "The store of {Folder} started in {Seconds:0.0} s")]
    static partial void LogStarted(ILogger logger, string folder, double seconds);

    [LoggerMessage(4105, LogLevel.Warning, "The store of {Folder} says: {Words}")]
    static partial void LogSaid(ILogger logger, string folder, string words);

    [LoggerMessage(4103, LogLevel.Warning, "The store of {Folder} {State}: it is started again in {Seconds} s. {Errors}")]
    static partial void LogRestarted(ILogger logger, string folder, string state, double seconds, string errors);

    [LoggerMessage(4104, LogLevel.Critical, "The store of {Folder} cannot be started again, and nothing is stored until this node is: {Errors}")]
    static partial void LogDamaged(ILogger logger, string folder, string errors);
}
