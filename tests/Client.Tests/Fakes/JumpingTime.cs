namespace IgptCluster.Client.Tests.Fakes;

/// <summary>A clock that jumps to the end of whatever is waited for, and stands still otherwise.</summary>
internal sealed class JumpingTime : TimeProvider
{
    readonly Lock _lock = new();
    readonly DateTimeOffset _start = DateTimeOffset.UtcNow;
    TimeSpan _passed;

    /// <summary>What was waited for.</summary>
    internal List<TimeSpan> Waits { get; } = [];

    internal TimeSpan Passed
    {
        get
        {
            lock (_lock)
            {
                return _passed;
            }
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    internal void Pass(TimeSpan time)
    {
        lock (_lock)
        {
            _passed += time;
        }
    }

    public override DateTimeOffset GetUtcNow() => _start + Passed;

    public override long GetTimestamp() => Passed.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            Waits.Add(dueTime);
            _passed += dueTime;
        }

        return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
