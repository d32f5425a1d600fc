using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions.Storage;

/// <summary>
/// Brings a session's changes to storage, as many at a time as there are: one write runs, and those that are asked for meanwhile become one that follows it.
/// What was stored once is tried again until it succeeds: a store that is away delays a session and loses nothing of it. One grain's turns only.
/// </summary>
/// <param name="store">The session's place in storage.</param>
/// <param name="session">The session as it is now.</param>
/// <param name="expires">When it will be forgotten, as far as is known now.</param>
/// <param name="report">Told of each write that has succeeded, of a first one that has failed, and once that another activation has written: nothing is written from then on.</param>
/// <param name="time">Clock for waits.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionJournal(
    SessionStore store, Func<SessionState> session, Func<DateTimeOffset?> expires, Action<SessionEvent> report, TimeProvider time, ILogger logger)
{
    const double Rest = 3; // for how many times what a write takes none is made, so that many sessions do not wear the store out
    const double Weight = 0.25; // of the latest write in what writes take

    static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(2);

    Task _writing = Task.CompletedTask;
    Task _due = Task.CompletedTask;
    TimeSpan _taken; // by a write, lately
    bool _isWaiting;
    long _wanted;
    long _written;
    bool _isClosed;

    /// <summary>Begins to store the session as it is now.</summary>
    internal void CommitNow()
    {
        _wanted++;
        FlushAsync().Ignore();
    }

    /// <summary>Stores it soon, together with what comes until then: a few times later than what writes take, so that a store that answers soon delays nobody, and a busy one is asked less often.</summary>
    /// <param name="interval">The longest that it may wait.</param>
    internal void CommitWithin(TimeSpan interval)
    {
        if (!store.IsDurable)
        {
            // Nothing to wait for.
            CommitNow();
        }
        else
        {
            _isWaiting = true;
            TimeSpan rest = Rest * _taken;
            _due = _due.IsCompleted ? CommitLaterAsync(rest < interval ? rest : interval) : _due;
        }
    }

    /// <summary>Completes when all that <see cref="CommitNow"/> was asked for up to now is durable.</summary>
    /// <exception cref="InconsistentStateException">Another activation has the session.</exception>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    /// <exception cref="Exception">The session has never been stored, and cannot be.</exception>
    internal async Task FlushAsync()
    {
        for (long wanted = _wanted; _written < wanted;)
        {
            if (_writing.IsCompleted && !_isClosed)
            {
                _writing = WriteOnceAsync();
            }

            await _writing;
            ObjectDisposedException.ThrowIf(_isClosed && _written < wanted, this);
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
            CommitNow();
        }
    }

    /// <summary>Writes the session as it is now. Those who wait for what has come meanwhile begin the next write.</summary>
    async Task WriteOnceAsync()
    {
        long version = _wanted;
        _isWaiting = false;
        SessionEvent.Stored stored = session().AsStored();
        await (store.IsDurable ? WriteAsync(session().ToRecord(expires())) : Task.CompletedTask);
        _written = version;
        report(stored);
    }

    async Task WriteAsync(SessionRecord record)
    {
        for (TimeSpan wait = FirstRetry; ; wait = wait * 2 < LastRetry ? wait * 2 : LastRetry)
        {
            try
            {
                long begun = time.GetTimestamp();
                await store.WriteAsync(record);
                _taken += Weight * (time.GetElapsedTime(begun) - _taken);
                return;
            }
            catch (InconsistentStateException)
            {
                _isClosed = true;
                report(new SessionEvent.Taken());
                throw;
            }
            catch (Exception) when (!store.IsStored)
            {
                _isClosed = true;
                report(new SessionEvent.NotStored());
                throw;
            }
            catch (Exception failure) when (!_isClosed)
            {
                LogWaiting(wait.TotalMilliseconds, failure.FirstLine());
                await Task.Delay(wait, time);
            }
        }
    }

    [LoggerMessage(1211, LogLevel.Warning, "A session cannot be stored: it tries again in {Milliseconds} ms and delivers nothing until then: {Reason}")]
    partial void LogWaiting(double milliseconds, string reason);
}
