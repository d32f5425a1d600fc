using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// How long a session is kept: while it has viewers, and without any until it expires. Tells the grain when that has come, sees to it that the cluster wakes the session
/// where nobody else does, and lets one that rests in storage leave the memory. One grain's turns only.
/// </summary>
/// <param name="grain">The session's grain.</param>
/// <param name="alarm">Its alarm; null where it is not stored: then it stays in memory.</param>
/// <param name="expired">Told that it has expired.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionRetention(IGrainBase grain, SessionAlarm? alarm, Func<Task> expired, TimeProvider time, ILogger logger)
{
    // Somewhat later than the timer, which is there as long as the session is in memory.
    static readonly TimeSpan AlarmDelay = TimeSpan.FromSeconds(1);

    IGrainTimer? _timer;

    /// <summary>Number of viewers.</summary>
    internal int Viewers { get; private set; }

    /// <summary>When it will be forgotten (UTC); null while a viewer keeps it.</summary>
    internal DateTimeOffset? Expires { get; private set; }

    /// <summary>A viewer comes.</summary>
    internal void Enter()
    {
        Viewers++;
        Expires = null;
        _timer?.Dispose();
    }

    /// <summary>A viewer leaves.</summary>
    /// <returns>Whether it was the last.</returns>
    internal bool Leave() => --Viewers == 0;

    /// <summary>Forgets it after a while, unless a viewer comes.</summary>
    internal void ExpireAfter(TimeSpan delay)
    {
        if (Viewers > 0)
        {
            return;
        }

        Expires = time.GetUtcNow() + delay;
        _timer?.Dispose();
        _timer = grain.RegisterGrainTimer(_ => expired(), new GrainTimerCreationOptions(delay, Timeout.InfiniteTimeSpan) { Interleave = true });
    }

    /// <summary>Whether it has expired.</summary>
    internal bool HasExpired => Viewers == 0 && Expires <= time.GetUtcNow();

    /// <summary>Sets the alarm for what the session does now.</summary>
    /// <param name="isAtRest">Whether it rests.</param>
    internal async Task SetAlarmAsync(bool isAtRest)
    {
        if (alarm is null)
        {
            return;
        }

        if (isAtRest && Expires is { } expires)
        {
            await alarm.RestAsync(expires, expires - time.GetUtcNow() + AlarmDelay);
            DelayDeactivation(TimeSpan.Zero);
        }
        else
        {
            await alarm.WakeAsync();
            StayInMemory();
        }
    }

    /// <summary>The same, where nobody can be told of a failure: the alarm that is set already rings in any case, and this is tried again then.</summary>
    /// <returns>Whether it is set.</returns>
    internal async Task<bool> TrySetAlarmAsync(bool isAtRest)
    {
        try
        {
            await SetAlarmAsync(isAtRest);
            return true;
        }
        catch (Exception failure)
        {
            LogNotSet(failure, grain.GrainContext.GrainId);
            return false;
        }
    }

    /// <summary>Keeps it in memory whether it is called or not.</summary>
    internal void StayInMemory() => DelayDeactivation(TimeSpan.MaxValue);

    /// <summary>It is forgotten.</summary>
    internal Task StopAsync()
    {
        _timer?.Dispose();
        return alarm?.StopAsync() ?? Task.CompletedTask;
    }

    void DelayDeactivation(TimeSpan delay) => grain.GrainContext.ActivationServices.GetRequiredService<IGrainRuntime>().DelayDeactivation(grain.GrainContext, delay);

    [LoggerMessage(1222, LogLevel.Warning, "The reminder of session {Session} cannot be set now")]
    partial void LogNotSet(Exception failure, GrainId session);
}
