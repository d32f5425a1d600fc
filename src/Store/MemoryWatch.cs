using System.Diagnostics;

namespace IgptCluster.Store;

/// <summary>Has what is free in the process's memory given back: the runtime keeps it as long as the machine has memory.</summary>
internal sealed class MemoryWatch : IDisposable
{
    const long BesideRecords = 320L << 20;

    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan Apart = TimeSpan.FromSeconds(1); // a collection stops everything for some tenths of a second

    readonly long _bound;
    readonly Timer _timer;
    long _last;

    /// <summary>Begins.</summary>
    /// <param name="memory">Memory for records, MB.</param>
    internal MemoryWatch(int memory)
    {
        _bound = ((long)memory << 20) + BesideRecords;
        _timer = new Timer(_ => Look(), null, Interval, Interval);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    void Look()
    {
        if (Environment.WorkingSet > _bound && Stopwatch.GetElapsedTime(Volatile.Read(ref _last)) > Apart)
        {
            Volatile.Write(ref _last, long.MaxValue / 2); // one at a time
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            Volatile.Write(ref _last, Stopwatch.GetTimestamp());
        }
    }
}
