namespace IgptCluster.Engine;

/// <summary>Tokens per second over the latest second or two. The engine's thread writes; any thread reads.</summary>
sealed class ThroughputMeter
{
    static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    TimeSpan _since;
    long _tokens;
    double _previous;
    TimeSpan _last;

    internal void Add(TimeSpan now, int tokens)
    {
        lock (_lock)
        {
            if (now - _last > 2 * Window)
            {
                (_since, _tokens, _previous) = (now, 0, 0);
            }
            else if (now - _since >= Window)
            {
                (_previous, _since, _tokens) = (_tokens / (now - _since).TotalSeconds, now, 0);
            }

            _tokens += tokens;
            _last = now;
        }
    }

    internal double Rate(TimeSpan now)
    {
        lock (_lock)
        {
            if (now - _last > 2 * Window)
            {
                return 0;
            }

            TimeSpan elapsed = now - _since;
            return _previous > 0 || elapsed <= TimeSpan.Zero ? _previous : _tokens / elapsed.TotalSeconds;
        }
    }
}
