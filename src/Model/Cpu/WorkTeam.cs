namespace IgptCluster.Model;

/// <summary>
/// Threads that work on one stage after the other together: the caller's and some of its own, which wait between stages by spinning for a moment, then
/// sleep. Each thread has a run of neighbouring items and takes from it one by one, then from the others' runs: memory is read in order, and a thread that is
/// held up holds up nobody for longer than an item. One caller at a time.
/// </summary>
internal sealed class WorkTeam : IDisposable
{
    const int SpinsBeforeSleep = 20_000; // about 0.2 ms of pauses
    const int SpinsBeforeYield = 200;
    const int Apart = 32; // counters lie in cache lines of their own

    readonly Thread[] _helpers;
    readonly SemaphoreSlim[] _wake; // one a helper
    readonly int[] _asleep; // 1 while a helper sleeps or is about to
    readonly int[] _next; // of each thread's run, and behind it the run's end
    Action<int> _work = _ => { };
    Exception? _failure;
    volatile bool _ending;
    int _round;
    int _working;

    /// <summary>Starts the threads.</summary>
    /// <param name="workers">Threads in all, the caller's included, at least 1.</param>
    internal WorkTeam(int workers)
    {
        Workers = workers;
        (_asleep, _next, _wake) = (new int[workers], new int[workers * Apart], [.. Enumerable.Range(0, workers).Select(_ => new SemaphoreSlim(0))]);
        _helpers = [.. Enumerable.Range(1, workers - 1).Select(worker => new Thread(() => Help(worker)) { IsBackground = true, Name = $"igpt-worker-{worker}" })];
        Array.ForEach(_helpers, helper => helper.Start());
    }

    /// <summary>Threads, the caller's included.</summary>
    internal int Workers { get; }

    /// <summary>Runs a stage: every thread calls <paramref name="work"/> with its number and takes items until there are no more.</summary>
    /// <param name="items">How many items there are.</param>
    /// <param name="work">Takes items by <see cref="TryTake"/>. One kept by the caller, so that nothing is allocated.</param>
    internal void Run(int items, Action<int> work)
    {
        for (int worker = 0; worker < Workers; worker++)
            (_next[worker * Apart], _next[(worker * Apart) + 1]) = ((int)((long)items * worker / Workers), (int)((long)items * (worker + 1) / Workers));
        if (items < 2 || Workers == 1)
        {
            work(0);
            return;
        }

        _work = work;
        _working = _helpers.Length;
        Interlocked.Increment(ref _round);
        Wake();
        work(0);
        for (int spin = 0; Volatile.Read(ref _working) > 0; spin++)
            Pause(spin);
        if (_failure is { } failure)
        {
            _failure = null;
            throw new InvalidOperationException("a worker thread failed", failure);
        }
    }

    /// <summary>The next item of the stage.</summary>
    /// <param name="worker">Number of the thread that asks.</param>
    /// <param name="item">The item.</param>
    /// <returns>False if there are no more.</returns>
    internal bool TryTake(int worker, out int item)
    {
        for (int run = worker; run < worker + Workers; run++)
        {
            int at = run % Workers * Apart;
            item = Interlocked.Increment(ref _next[at]) - 1;
            if (item < _next[at + 1])
                return true;
        }

        item = -1;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending = true;
        Interlocked.Increment(ref _round);
        Wake();
        Array.ForEach(_helpers, helper => helper.Join());
        Array.ForEach(_wake, wake => wake.Dispose());
    }

    // The round was told before: a helper that is about to sleep sees it, or is seen here.
    void Wake()
    {
        for (int worker = 1; worker < Workers; worker++)
        {
            if (Interlocked.Exchange(ref _asleep[worker], 0) == 1)
                _wake[worker].Release();
        }
    }

    void Help(int worker)
    {
        for (int seen = 0; ; seen++)
        {
            for (int spin = 0; Volatile.Read(ref _round) == seen; spin++)
            {
                if (spin < SpinsBeforeSleep)
                    Pause(spin);
                else
                    Sleep(worker, seen);
            }

            if (_ending)
                return;
            try
            {
                _work(worker);
            }
            catch (Exception failure)
            {
                _failure = failure;
            }

            Interlocked.Decrement(ref _working);
        }
    }

    void Sleep(int worker, int seen)
    {
        Interlocked.Exchange(ref _asleep[worker], 1);
        if (Volatile.Read(ref _round) != seen && Interlocked.Exchange(ref _asleep[worker], 0) == 1)
            return;
        _wake[worker].Wait();
    }

    static void Pause(int spin)
    {
        if (spin % SpinsBeforeYield == SpinsBeforeYield - 1)
            Thread.Yield();
        else
            Thread.SpinWait(1);
    }
}
