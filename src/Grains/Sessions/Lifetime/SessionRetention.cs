using Microsoft.Extensions.DependencyInjection;

namespace IgptCluster.Grains.Sessions.Lifetime;

/// <summary>When a session is forgotten, and whether it may leave the memory before. One grain's turns only.</summary>
/// <param name="grain">The session's grain.</param>
/// <param name="expired">Told that its time has come.</param>
/// <param name="time">Clock.</param>
internal sealed class SessionRetention(IGrainBase grain, Func<Task> expired, TimeProvider time)
{
    IGrainTimer? _timer;

    /// <summary>When it will be forgotten (UTC); null: not while it is as it is.</summary>
    internal DateTimeOffset? Expires { get; private set; }

    /// <summary>Whether its time has come.</summary>
    internal bool HasExpired => Expires <= time.GetUtcNow();

    /// <summary>Keeps it for a while from now on.</summary>
    /// <param name="delay">How long; infinite: until this is called again.</param>
    internal void KeepFor(TimeSpan delay)
    {
        Stop();
        if (delay != Timeout.InfiniteTimeSpan)
        {
            Expires = time.GetUtcNow() + delay;
            _timer = grain.RegisterGrainTimer(_ => expired(), new GrainTimerCreationOptions(delay, Timeout.InfiniteTimeSpan) { Interleave = true });
        }
    }

    /// <summary>Its time never comes.</summary>
    internal void Stop()
    {
        _timer?.Dispose();
        (_timer, Expires) = (null, null);
    }

    /// <summary>Keeps it in memory whether it is called or not.</summary>
    internal void StayInMemory() => DelayDeactivation(TimeSpan.MaxValue);

    /// <summary>Lets it leave the memory when nobody has called it for some time.</summary>
    internal void LeaveMemory() => DelayDeactivation(TimeSpan.Zero);

    void DelayDeactivation(TimeSpan delay) => grain.GrainContext.ActivationServices.GetRequiredService<IGrainRuntime>().DelayDeactivation(grain.GrainContext, delay);
}
