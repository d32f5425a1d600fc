namespace IgptCluster.Engine;

/// <summary>
/// A clock that runs slower than another one, timers included: what costs the processor a second happens in less of its time, as on a machine so many times
/// as fast. Any thread.
/// </summary>
/// <param name="dilation">How many seconds of the other clock make one of this, at least 1.</param>
/// <param name="real">The other clock.</param>
public sealed class DilatedTimeProvider(double dilation, TimeProvider real) : TimeProvider
{
    static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40); // the system's is 49 days

    readonly double _dilation = dilation >= 1 ? dilation : throw new ArgumentOutOfRangeException(nameof(dilation), dilation, "a clock can be slowed down, not sped up: at least 1");
    readonly long _epoch = real.GetTimestamp();
    readonly DateTimeOffset _started = real.GetUtcNow();

    /// <inheritdoc/>
    public override long TimestampFrequency => real.TimestampFrequency;

    /// <inheritdoc/>
    public override long GetTimestamp() => (long)((real.GetTimestamp() - _epoch) / _dilation);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _started + (real.GetElapsedTime(_epoch) / _dilation);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new DilatedTimer(this, real.CreateTimer(callback, state, Real(dueTime), Real(period)));

    /// <summary>How long a time of this clock is by the other one; an infinite one stays so.</summary>
    /// <param name="time">Time of this clock.</param>
    public TimeSpan Real(TimeSpan time)
    {
        if (time == Timeout.InfiniteTimeSpan)
        {
            return time;
        }

        TimeSpan longer = time * _dilation;
        return longer < LongestTimer ? longer : LongestTimer;
    }

    sealed class DilatedTimer(DilatedTimeProvider time, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(time.Real(dueTime), time.Real(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
