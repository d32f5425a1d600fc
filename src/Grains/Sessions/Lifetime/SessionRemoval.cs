using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.Storage;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions.Lifetime;

/// <summary>Leaves nothing of a session, as soon as the store answers. One grain's turns only.</summary>
/// <param name="id">The session.</param>
/// <param name="store">Its place in storage.</param>
/// <param name="journal">What is being stored of it.</param>
/// <param name="retention">When it expires.</param>
/// <param name="alarm">What wakes it.</param>
/// <param name="time">Clock for waits.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionRemoval(
    SessionId id, SessionStore store, SessionJournal journal, SessionRetention retention, SessionAlarm alarm, TimeProvider time, ILogger logger)
{
    /// <summary>How long what failed waits until it is tried again.</summary>
    internal static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    bool _isEnding;

    /// <summary>Completes when nothing is left, or is not to be removed; the state before there was anything to remove too.</summary>
    internal Task Done { get; private set; } = Task.CompletedTask;

    /// <summary>Begins to remove the session, in the background.</summary>
    /// <param name="done">Called when nothing is left.</param>
    internal void Begin(Action done)
    {
        Done = RunAsync(done);
        Done.Ignore();
    }

    /// <summary>What fails from now on is not tried again: the activation ends.</summary>
    internal void Close() => _isEnding = true;

    async Task RunAsync(Action done)
    {
        retention.Stop();
        await journal.CloseAsync();
        for (bool isRemoved = false; !isRemoved;)
        {
            try
            {
                // In this order: while something is stored, something must wake it.
                await store.ClearAsync();
                await alarm.StopAsync();
                isRemoved = true;
            }
            catch (InconsistentStateException)
            {
                LogTaken(id);
                isRemoved = true;
            }
            catch (Exception failure) when (!_isEnding)
            {
                LogNotRemoved(id, failure.FirstLine());
                await Task.Delay(Retry, time);
            }
        }

        done();
    }

    [LoggerMessage(1214, LogLevel.Warning, "Session {Session} was taken up by another activation before it was removed")]
    partial void LogTaken(SessionId session);

    [LoggerMessage(1212, LogLevel.Warning, "What is stored of session {Session} cannot be removed yet: {Reason}")]
    partial void LogNotRemoved(SessionId session, string reason);
}
