using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// Brings a session's changes to storage, as many at a time as there are: one write runs, and those that are asked for meanwhile become one that follows it.
/// What was stored once is tried again until it succeeds: a store that is away delays a session and loses nothing of it. One grain's turns only.
/// </summary>
/// <param name="store">The session's place in storage.</param>
/// <param name="snapshot">The session as it is now, and what to do once that is durable.</param>
/// <param name="taken">Told once that another activation has written; nothing is written from then on.</param>
/// <param name="time">Clock for waits.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionJournal(SessionStore store, Func<(SessionRecord Record, Action Stored)> snapshot, Action<InconsistentStateException> taken, TimeProvider time, ILogger logger)
{
    static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(2);

    Task _writing = Task.CompletedTask;
    Task _due = Task.CompletedTask;
    bool _isWaiting;
    long _wanted;
    long _written;
    bool _isClosed;

    /// <summary>Completes when everything up to now is durable.</summary>
    /// <exception cref="InconsistentStateException">Another activation has the session.</exception>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    /// <exception cref="Exception">The session has never been stored, and cannot be.</exception>
    internal async Task CommitAsync()
    {
        for (long wanted = ++_wanted; _written < wanted;)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (_writing.IsCompleted)
            {
                _writing = WriteAllAsync();
            }

            await _writing;
        }
    }

    /// <summary>Commits within an interval, together with what comes until then.</summary>
    /// <param name="interval">How long it may take.</param>
    internal void CommitWithin(TimeSpan interval)
    {
        if (!store.IsDurable)
        {
            // Nothing to wait for.
            CommitAsync().Ignore();
        }
        else
        {
            _isWaiting = true;
            _due = _due.IsCompleted ? CommitLaterAsync(interval) : _due;
        }
    }

    /// <summary>Begins no write any more; completes when none runs.</summary>
    internal async Task CloseAsync()
    {
        _isClosed = true;
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    async Task CommitLaterAsync(TimeSpan interval)
    {
        await Task.Delay(interval, time);

        // Another commit may have taken all along.
        if (_isWaiting)
        {
            CommitAsync().Ignore();
        }
    }

    async Task WriteAllAsync()
    {
        while (_written < _wanted && !_isClosed)
        {
            long version = _wanted;
            _isWaiting = false;
            (SessionRecord record, Action stored) = snapshot();
            await WriteAsync(record);
            _written = version;
            stored();
        }
    }

    async Task WriteAsync(SessionRecord record)
    {
        for (TimeSpan wait = FirstRetry; ; wait = wait * 2 < LastRetry ? wait * 2 : LastRetry)
        {
            try
            {
                await store.WriteAsync(record);
                return;
            }
            catch (InconsistentStateException other)
            {
                _isClosed = true;
                taken(other);
                throw;
            }
            catch (Exception failure) when (store.IsStored && !_isClosed)
            {
                LogWaiting(wait.TotalMilliseconds, failure.Message);
                await Task.Delay(wait, time);
            }
        }
    }

    [LoggerMessage(1211, LogLevel.Warning, "A session cannot be stored: it tries again in {Milliseconds} ms and delivers nothing until then: {Reason}")]
    partial void LogWaiting(double milliseconds, string reason);
}
