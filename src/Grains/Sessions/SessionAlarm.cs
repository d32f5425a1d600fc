using Microsoft.Extensions.Logging;
using Orleans.Timers;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// Has the cluster wake a stored session that nobody calls: one that generates every minute, so that the loss of its silo holds it up no longer, and one that rests when
/// it expires, whether it is in memory or not. One grain's turns only.
/// </summary>
/// <param name="reminders">The cluster's reminders; null: the session is not stored, and lives no longer than its activation.</param>
/// <param name="session">The session's grain.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionAlarm(IReminderRegistry? reminders, GrainId session, ILogger logger)
{
    /// <summary>Name of the reminder.</summary>
    internal const string Name = "session";

    static readonly TimeSpan WakeInterval = TimeSpan.FromMinutes(1); // Orleans' shortest
    static readonly TimeSpan RestInterval = TimeSpan.FromHours(1);

    // What is set: null: not known; MinValue: nothing.
    DateTimeOffset? _due;

    /// <summary>Wakes it every minute.</summary>
    internal Task WakeAsync() => SetAsync(DateTimeOffset.MaxValue, WakeInterval, WakeInterval);

    /// <summary>Wakes it when it expires.</summary>
    /// <param name="expires">When (UTC).</param>
    /// <param name="after">From now.</param>
    internal Task RestAsync(DateTimeOffset expires, TimeSpan after) => SetAsync(expires, after > TimeSpan.Zero ? after : TimeSpan.Zero, RestInterval);

    /// <summary>Wakes it no more.</summary>
    internal async Task StopAsync()
    {
        if (reminders is null || _due == DateTimeOffset.MinValue)
        {
            return;
        }

        try
        {
            if (await reminders.GetReminder(session, Name) is { } set)
            {
                await reminders.UnregisterReminder(session, set);
            }

            _due = DateTimeOffset.MinValue;
        }
        catch (Exception failure)
        {
            // It will ring once more and find nothing, which stops it then.
            LogNotSet(failure, session);
        }
    }

    /// <summary>It rings although nothing was set by this activation.</summary>
    internal void TakeRing() => _due ??= DateTimeOffset.MaxValue;

    async Task SetAsync(DateTimeOffset due, TimeSpan first, TimeSpan interval)
    {
        if (reminders is null || _due == due)
        {
            return;
        }

        DateTimeOffset? before = _due;
        _due = due;
        try
        {
            await reminders.RegisterOrUpdateReminder(session, Name, first, interval);
        }
        catch
        {
            _due = before;
            throw;
        }
    }

    [LoggerMessage(1221, LogLevel.Warning, "The reminder of session {Session} cannot be changed now")]
    partial void LogNotSet(Exception failure, GrainId session);
}
