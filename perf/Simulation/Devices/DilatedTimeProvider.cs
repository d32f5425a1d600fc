namespace IgptCluster.Simulation.Devices;

/// <summary>
/// A clock that runs slower than another one, timers included: what costs the processor a second happens in less of its time, as on a machine so many times
/// as fast. Any thread.
/// </summary>
/// <param name="dilation">How many seconds of the other clock make one of this, at least 1.</param>
/// <param name="real">The other clock.</param>
public sealed class DilatedTimeProvider(double dilation, TimeProvider real) : TimeProvider
{
    static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40); // the system's is 49 days

    readonly TimeProvider _real = real;
    Rate _rate = new(Checked(dilation), real.GetTimestamp(), Own: 0);
    readonly DateTimeOffset _started = real.GetUtcNow();

    /// <summary>From which moments on it runs at which rate.</summary>
    sealed record Rate(double Dilation, long Real, long Own);

    /// <summary>How many seconds of the other clock make one of this now.</summary>
    public double Dilation => Volatile.Read(ref _rate).Dilation;

    /// <inheritdoc/>
    public override long TimestampFrequency => _real.TimestampFrequency;

    /// <inheritdoc/>
    public override long GetTimestamp()
    {
        Rate rate = Volatile.Read(ref _rate);
        return rate.Own + (long)((_real.GetTimestamp() - rate.Real) / rate.Dilation);
    }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _started + GetElapsedTime(0, GetTimestamp());

    /// <summary>Runs at another rate from now on; timers that are set go on as they were set.</summary>
    /// <param name="slower">How many seconds of the other clock make one of this, at least 1.</param>
    public void ChangeDilation(double slower) => Volatile.Write(ref _rate, new Rate(Checked(slower), _real.GetTimestamp(), GetTimestamp()));

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new DilatedTimer(this, _real.CreateTimer(callback, state, Real(dueTime), Real(period)));

    /// <summary>How long a time of this clock is by the other one; an infinite one stays so.</summary>
    /// <param name="time">Time of this clock.</param>
    public TimeSpan Real(TimeSpan time)
    {
        if (time == Timeout.InfiniteTimeSpan)
        {
            return time;
        }

        TimeSpan longer = time * Dilation;
        return longer < LongestTimer ? longer : LongestTimer;
    }

    static double Checked(double dilation) =>
        dilation >= 1 ? dilation : throw new ArgumentOutOfRangeException(nameof(dilation), dilation, "a clock can be slowed down, not sped up: at least 1");

    sealed class DilatedTimer(DilatedTimeProvider time, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(time.Real(dueTime), time.Real(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
