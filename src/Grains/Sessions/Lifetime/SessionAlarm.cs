using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.Logging;
using Orleans.Timers;

namespace IgptCluster.Grains.Sessions.Lifetime;

/// <summary>
/// Has the cluster wake a stored session that nobody calls, by a reminder: one that generates every minute, and one that rests when it expires, whether it is in
/// memory or not. One change is made at a time, and one that fails is tried again. One grain's turns only.
/// </summary>
/// <param name="reminders">The cluster's reminders; null: there are none, or the session is not stored: it lives no longer than its activation.</param>
/// <param name="session">The session's grain.</param>
/// <param name="retention">When it expires, and whether it is kept in memory.</param>
/// <param name="stored">Completes when the session is stored as it is: only then may the cluster let it rest.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionAlarm(IReminderRegistry? reminders, GrainId session, SessionRetention retention, Func<Task> stored, TimeProvider time, ILogger logger)
{
    /// <summary>Name of the reminder.</summary>
    internal const string Name = "session";

    static readonly TimeSpan WakeInterval = TimeSpan.FromMinutes(1); // Orleans' shortest
    static readonly TimeSpan RestInterval = TimeSpan.FromHours(1);
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    // Somewhat later than the timer, which is there as long as the session is in memory.
    static readonly TimeSpan ExpiryDelay = TimeSpan.FromSeconds(1);

    AlarmDemand _demand = AlarmDemand.None;
    DateTimeOffset? _set; // when it rings; MaxValue: each minute; MinValue: never; null: not known
    Task _setting = Task.CompletedTask;
    long _wanted;
    long _done;
    bool _isRetrying;
    bool _isClosed;

    /// <summary>The session is new, so nothing is set.</summary>
    internal void TakeNew() => _set = DateTimeOffset.MinValue;

    /// <summary>Sets it for what the session does now, in the background.</summary>
    /// <param name="demand">When it is to ring; none: as it is.</param>
    internal void Demand(AlarmDemand demand)
    {
        if (reminders is null || demand == AlarmDemand.None)
        {
            return;
        }

        _demand = demand;
        if (demand == AlarmDemand.EachMinute)
        {
            retention.StayInMemory();
        }

        SetInBackground();
    }

    /// <summary>Completes when it is set as was demanded up to now, or could not be: it is tried again then, and what is set already rings in any case. Never fails.</summary>
    internal async Task SettledAsync()
    {
        for (long wanted = _wanted; _done < wanted;)
        {
            _setting = _setting.IsCompleted ? SetAsync() : _setting;
            await _setting;
        }
    }

    /// <summary>Changes nothing any more.</summary>
    internal void Close() => _isClosed = true;

    /// <summary>It rings no more.</summary>
    internal async Task StopAsync()
    {
        Close();
        await _setting;
        if (reminders is null || _set == DateTimeOffset.MinValue)
        {
            return;
        }

        try
        {
            if (await reminders.GetReminder(session, Name) is { } set)
            {
                await reminders.UnregisterReminder(session, set);
            }
        }
        catch (Exception failure)
        {
            // It will ring once more and find nothing, which stops it then.
            LogNotSet(session, failure.FirstLine());
        }
    }

    void SetInBackground()
    {
        _wanted++;
        SettledAsync().Ignore();
    }

    async Task SetAsync()
    {
        long version = _wanted;
        try
        {
            AlarmDemand demand = _demand;
            await (demand == AlarmDemand.AtExpiry ? stored() : Task.CompletedTask);
            if (demand == _demand && !_isClosed)
            {
                await SetAsync(demand == AlarmDemand.AtExpiry ? retention.Expires : null);
            }
        }
        catch (Exception failure)
        {
            if (!_isClosed)
            {
                LogNotSet(session, failure.FirstLine());
                RetryAsync().Ignore();
            }
        }

        _done = version;
    }

    async Task SetAsync(DateTimeOffset? expires)
    {
        DateTimeOffset due = expires ?? DateTimeOffset.MaxValue;
        if (_set != due)
        {
            TimeSpan first = expires is null ? WakeInterval : due - time.GetUtcNow() + ExpiryDelay;
            _set = null; // one that fails may have been set all the same
            await reminders!.RegisterOrUpdateReminder(session, Name, first > TimeSpan.Zero ? first : TimeSpan.Zero, expires is null ? WakeInterval : RestInterval);
            _set = due;
        }

        if (expires is not null && _demand == AlarmDemand.AtExpiry)
        {
            retention.LeaveMemory();
        }
    }

    async Task RetryAsync()
    {
        if (!_isRetrying)
        {
            _isRetrying = true;
            await Task.Delay(Retry, time);
            _isRetrying = false;
            SetInBackground();
        }
    }

    [LoggerMessage(1221, LogLevel.Warning, "The reminder of session {Session} cannot be changed now: {Reason}")]
    partial void LogNotSet(GrainId session, string reason);
}
