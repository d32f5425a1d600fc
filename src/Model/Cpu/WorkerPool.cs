namespace IgptCluster.Model.Cpu;

/// <summary>
/// Threads that work on one stage after the other together: the caller's and some of its own, which wait between stages by spinning for a moment, then
/// sleep. Each thread has a run of neighbouring items and takes from it one by one, then from the others' runs: memory is read in order. A
/// stage ends when its items are done: a thread that the system holds up holds up the others only if it has an item. One caller at a time.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    const int SpinsBeforeSleep = 20_000; // about 0.2 ms of pauses
    const int SpinsBeforeYield = 200;
    const int Apart = 32; // counters lie in cache lines of their own
    const int NumberAt = 16; // bit of a stage's number
    const long Closed = 1 << (NumberAt - 1);
    const long Inside = Closed - 1;

    readonly Thread[] _helpers;
    readonly int[] _before; // processors of the caller's thread, if it is kept on one
    readonly SemaphoreSlim[] _wake; // one a helper
    readonly int[] _asleep; // 1 while a helper sleeps or is about to
    readonly int[] _next; // of each thread's run, and behind it the run's end
    Action<int> _work = _ => { };
    Exception? _failure;
    volatile bool _ending;
    long _stage; // its number, whether it is closed, and how many helpers are in it

    /// <summary>Starts the threads.</summary>
    /// <param name="workers">Threads in all, the caller's included, at least 1.</param>
    /// <param name="isPinned">Whether each, the caller's included, stays on a processor of its own until the end.</param>
    internal WorkerPool(int workers, bool isPinned = false)
    {
        Workers = workers;
        _before = isPinned ? Processors.Allowed() : [];
        int[] own = Processors.OneOfEachCore(_before);
        void Pin(int worker) => Processors.Keep(own.Length > 0 ? [own[worker % own.Length]] : []);
        (_asleep, _next, _wake) = (new int[workers], new int[workers * Apart], [.. Enumerable.Range(0, workers).Select(_ => new SemaphoreSlim(0))]);
        _helpers = [.. Enumerable.Range(1, workers - 1).Select(worker => new Thread(() =>
        {
            Pin(worker);
            Help(worker);
        }) { IsBackground = true, Name = $"igpt-worker-{worker}" })];
        Array.ForEach(_helpers, helper => helper.Start());
        Pin(0);
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
        Open();
        try
        {
            work(0);
        }
        finally
        {
            Close();
        }

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
        Open();
        Array.ForEach(_helpers, helper => helper.Join());
        Array.ForEach(_wake, wake => wake.Dispose());
        Processors.Keep(_before);
    }

    // The stage is told first: a helper that is about to sleep sees it, or is seen here.
    void Open()
    {
        Interlocked.Exchange(ref _stage, ((_stage >> NumberAt) + 1) << NumberAt);
        for (int worker = 1; worker < Workers; worker++)
        {
            if (Interlocked.Exchange(ref _asleep[worker], 0) == 1)
                _wake[worker].Release();
        }
    }

    // Nobody else comes in, and those inside finish.
    void Close()
    {
        Interlocked.Or(ref _stage, Closed);
        for (int spin = 0; (Volatile.Read(ref _stage) & Inside) > 0; spin++)
            Pause(spin);
    }

    void Help(int worker)
    {
        for (long seen = 0; !_ending;)
        {
            long stage = Await(worker, seen);
            seen = stage >> NumberAt;
            if ((stage & Closed) != 0 || Interlocked.CompareExchange(ref _stage, stage + 1, stage) != stage)
            {
                // Closed, or another helper came in at the same moment: looks again.
                seen -= (stage & Closed) != 0 ? 0 : 1;
                continue;
            }

            if (!_ending)
                Work(worker);
            Interlocked.Decrement(ref _stage);
        }
    }

    void Work(int worker)
    {
        try
        {
            _work(worker);
        }
        catch (Exception failure)
        {
            _failure = failure;
        }
    }

    // The stage after the one seen.
    long Await(int worker, long seen)
    {
        for (int spin = 0; ; spin++)
        {
            long stage = Volatile.Read(ref _stage);
            if (stage >> NumberAt != seen)
                return stage;
            if (spin < SpinsBeforeSleep)
                Pause(spin);
            else
                Sleep(worker, seen);
        }
    }

    void Sleep(int worker, long seen)
    {
        Interlocked.Exchange(ref _asleep[worker], 1);
        if (Volatile.Read(ref _stage) >> NumberAt != seen && Interlocked.Exchange(ref _asleep[worker], 0) == 1)
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
