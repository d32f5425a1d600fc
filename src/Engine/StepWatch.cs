namespace IgptCluster.Engine;

/// <summary>
/// Watches how long the running step takes. The engine's thread begins and ends steps; a timer looks. Either the step ends or it is given up, never both.
/// </summary>
sealed class StepWatch : IDisposable
{
    const long Idle = 0;
    const long GivenUp = -1;
    const int LooksPerLimit = 8;

    readonly TimeSpan _limit;
    readonly TimeProvider _time;
    readonly Action<TimeSpan> _giveUp;
    readonly ITimer _timer;
    long _started = Idle; // timestamp of the running step

    /// <summary>Watches until it is disposed.</summary>
    /// <param name="limit">The longest a step may take.</param>
    /// <param name="time">Clock.</param>
    /// <param name="giveUp">Called once, by the timer, when a step has taken longer; told how long.</param>
    internal StepWatch(TimeSpan limit, TimeProvider time, Action<TimeSpan> giveUp)
    {
        (_limit, _time, _giveUp) = (limit, time, giveUp);
        _timer = time.CreateTimer(_ => Look(), null, limit / LooksPerLimit, limit / LooksPerLimit);
    }

    /// <summary>A step begins.</summary>
    internal void Begin() => Volatile.Write(ref _started, Math.Max(1, _time.GetTimestamp()));

    /// <summary>The step has ended.</summary>
    /// <returns>False if it was given up before: what it was for is over.</returns>
    internal bool TryEnd()
    {
        long started = Volatile.Read(ref _started);
        return started != GivenUp && Interlocked.CompareExchange(ref _started, Idle, started) == started;
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    void Look()
    {
        long started = Volatile.Read(ref _started);
        if (started > Idle && _time.GetElapsedTime(started) is var taken && taken >= _limit && Interlocked.CompareExchange(ref _started, GivenUp, started) == started)
        {
            _giveUp(taken);
        }
    }
}
