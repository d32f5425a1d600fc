using System.Diagnostics;

namespace IgptCluster.Simulation.Cluster;

/// <summary>
/// This machine's clock without the time in which it does not keep up: a thread sleeps for a moment and then passes through the thread pool, again and again, and no more
/// time passes in between than that should take. Where other programs take the processors, or work piles up, the simulation waits for it, and is not told that its
/// hosts are slow. Timers are the machine's own: they may end early by this clock.
/// </summary>
internal sealed class WorkingTimeProvider : TimeProvider, IDisposable
{
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(2);
    static readonly long Most = Stopwatch.Frequency * 4 / 1000; // 4 ms: a sleep is up to a millisecond longer

    readonly Thread _ticking;
    readonly AutoResetEvent _passed = new(initialState: false);
    (long Real, long Own)[] _latest = [(Stopwatch.GetTimestamp(), 0)];
    volatile bool _stopping;

    internal WorkingTimeProvider()
    {
        _ticking = new Thread(Run) { IsBackground = true, Name = "working time", Priority = ThreadPriority.Normal };
        _ticking.Start();
    }

    public override long TimestampFrequency => Stopwatch.Frequency;

    public override long GetTimestamp()
    {
        (long real, long own) = Volatile.Read(ref _latest)[0];
        return own + Math.Min(Stopwatch.GetTimestamp() - real, Most);
    }

    public void Dispose()
    {
        _stopping = true;
        _ticking.Join();
        _passed.Dispose();
    }

    void Run()
    {
        while (!_stopping)
        {
            Thread.Sleep(Tick);
            ThreadPool.UnsafeQueueUserWorkItem(_ => _passed.Set(), state: (object?)null, preferLocal: false);
            _passed.WaitOne();
            (long real, long own) = _latest[0];
            long now = Stopwatch.GetTimestamp();

            // In one write, so that no reader sees the one without the other.
            Volatile.Write(ref _latest, [(now, own + Math.Min(now - real, Most))]);
        }
    }
}
