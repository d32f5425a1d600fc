using System.Collections.Concurrent;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Engine;

/// <summary>
/// Owns one device: a thread of its own makes the runner and then steps as long as there is work. Requests come in by queue, tokens go
/// out by channel; nobody else touches the runner. All public members may be called from any thread.
/// </summary>
/// <param name="options">Batching and queue limits.</param>
/// <param name="createRunner">Loads the model; called once, on the engine's thread, which also disposes the runner.</param>
/// <param name="time">Clock for timings.</param>
/// <param name="logger">Log.</param>
public sealed partial class EngineLoop(EngineOptions options, Func<IModelRunner> createRunner, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    // Bounded by admission: at most one submission and a few cancellations per sequence in flight.
    readonly BlockingCollection<Command> _commands = [];
    readonly ConcurrentDictionary<SequenceId, Sequence> _inFlight = new();
    readonly TaskCompletionSource<ModelShape> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _stopping = new();
    readonly ThroughputMeter _meter = new();
    readonly long _epoch = time.GetTimestamp();
    readonly Lock _admission = new();
    Thread? _thread;
    ModelShape? _shape;
    int _capacity;
    long _tokenCapacity;
    long _tokensInFlight;
    int _slotCount;
    int _slotsUsed;
    int _running;
    long _steps;
    long _computedTokens;
    long _sharedTokens;
    volatile bool _draining;
    volatile string _fault = "";

    abstract record Command
    {
        internal sealed record Submit(Sequence Sequence) : Command;

        internal sealed record Abort(SequenceId Id) : Command;

        internal sealed record Wake : Command;

        internal sealed record Evict : Command;
    }

    /// <summary>The model's sizes.</summary>
    /// <exception cref="InvalidOperationException">The engine has not started yet.</exception>
    public ModelShape Shape => _shape ?? throw new InvalidOperationException("the engine has not started: await StartAsync first");

    /// <summary>Most sequences that it takes at a time, those that run and those that wait; 0 before it has started.</summary>
    public int Capacity => Volatile.Read(ref _capacity);

    /// <summary>The load after the latest step.</summary>
    public EngineStatus Status
    {
        get
        {
            int running = Volatile.Read(ref _running);
            return new EngineStatus
            {
                SlotsTotal = Volatile.Read(ref _slotCount),
                SlotsUsed = Volatile.Read(ref _slotsUsed),
                Running = running,
                Waiting = Math.Max(0, _inFlight.Count - running),
                Steps = Volatile.Read(ref _steps),
                ComputedTokens = Volatile.Read(ref _computedTokens),
                SharedTokens = Volatile.Read(ref _sharedTokens),
                TokensPerSecond = _meter.Rate(Now),
                TokensInFlight = Interlocked.Read(ref _tokensInFlight),
                Draining = _draining,
                Fault = _fault,
            };
        }
    }

    TimeSpan Now => time.GetElapsedTime(_epoch);

    /// <summary>Starts the engine's thread; completes when the runner is made.</summary>
    /// <returns>The model's sizes; faults with what the runner's maker threw.</returns>
    /// <exception cref="InvalidOperationException">Called twice.</exception>
    public Task<ModelShape> StartAsync()
    {
        var thread = new Thread(Run) { IsBackground = true, Name = "igpt-engine" };
        if (Interlocked.CompareExchange(ref _thread, thread, null) is not null)
        {
            throw new InvalidOperationException("the engine was started already");
        }

        thread.Start();
        return _started.Task;
    }

    /// <summary>Queues a generation.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="stream">Its tokens and its end; null unless accepted.</param>
    /// <exception cref="EngineRequestException">The request breaks a rule; nothing was queued.</exception>
    public SubmitOutcome TrySubmit(GenerationRequest request, out Generation? stream)
    {
        stream = null;
        if (_shape is not { } shape)
        {
            return SubmitOutcome.Stopped;
        }

        RequestRules.Check(request, shape);
        var sequence = new GenerationSequence(request, shape.StartToken, Now);
        SubmitOutcome outcome = Admit(sequence);
        stream = outcome == SubmitOutcome.Accepted ? sequence.Stream : null;
        return outcome;
    }

    /// <summary>Queues an evaluation.</summary>
    /// <param name="request">What to compute.</param>
    /// <param name="result">
    /// Its result; null unless accepted. Cancelled by <see cref="Cancel"/>; faults with <see cref="SequenceFailedException"/> if the model's
    /// values are not finite and with <see cref="EngineStoppedException"/> if the engine stops first.
    /// </param>
    /// <exception cref="EngineRequestException">The request breaks a rule; nothing was queued.</exception>
    public SubmitOutcome TrySubmit(EvaluationRequest request, out Task<EvaluationResult>? result)
    {
        result = null;
        if (_shape is not { } shape)
        {
            return SubmitOutcome.Stopped;
        }

        RequestRules.Check(request, shape);
        var sequence = new EvaluationSequence(request, shape);
        SubmitOutcome outcome = Admit(sequence);
        result = outcome == SubmitOutcome.Accepted ? sequence.Completion : null;
        return outcome;
    }

    /// <summary>Ends a sequence and frees its slot before the next step. One that has ended is left as it is.</summary>
    /// <param name="id">The sequence.</param>
    public void Cancel(SequenceId id)
    {
        lock (_admission)
        {
            if (!_commands.IsAddingCompleted && _inFlight.ContainsKey(id))
            {
                _commands.Add(new Command.Abort(id));
            }
        }
    }

    /// <summary>Takes no more requests; completes when all that were accepted have ended.</summary>
    /// <param name="evict">Whether generations end now, between two steps, with <see cref="EngineStoppedException"/>: another engine can take them up.</param>
    public Task DrainAsync(bool evict = false)
    {
        lock (_admission)
        {
            _draining = true;
            if (!_commands.IsAddingCompleted)
            {
                _commands.Add(evict ? new Command.Evict() : new Command.Wake());
            }
        }

        return _thread is null ? Task.CompletedTask : Task.WhenAny(_drained.Task, _ended.Task);
    }

    /// <summary>Stops the engine: what is in flight ends with <see cref="EngineStoppedException"/>, then the runner is disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        // In this order: an idle engine's wait for the next command must find out that it was stopped, not that none will come.
        await _stopping.CancelAsync();
        Close();
        if (_thread is not null)
        {
            await _ended.Task;
        }
    }

    SubmitOutcome Admit(Sequence sequence)
    {
        lock (_admission)
        {
            if (_commands.IsAddingCompleted)
            {
                return SubmitOutcome.Stopped;
            }

            if (_draining)
            {
                return SubmitOutcome.Draining;
            }

            if (!sequence.IsReadmission && (_inFlight.Count >= _capacity || Interlocked.Read(ref _tokensInFlight) + sequence.Work > _tokenCapacity))
            {
                return SubmitOutcome.QueueFull;
            }

            if (!_inFlight.TryAdd(sequence.Id, sequence))
            {
                throw new EngineRequestException($"a sequence's id must be unique among those in flight; given '{sequence.Id}' again");
            }

            Interlocked.Add(ref _tokensInFlight, sequence.Work);
            sequence.Ended = Forget;
            _commands.Add(new Command.Submit(sequence));
            return SubmitOutcome.Accepted;
        }
    }

    void Forget(SequenceId id)
    {
        if (_inFlight.TryRemove(id, out Sequence? sequence))
        {
            Interlocked.Add(ref _tokensInFlight, -sequence.Work);
        }
    }

    void Close()
    {
        lock (_admission)
        {
            _commands.CompleteAdding();
        }
    }

    void Run()
    {
        Scheduler? scheduler = null;
        try
        {
            using IModelRunner runner = createRunner();
            scheduler = new Scheduler(options, runner.Shape, runner.SlotCount);
            _capacity = runner.SlotCount + options.MaxWaiting;
            _tokenCapacity = ((long)runner.SlotCount * runner.Shape.PositionCount) + options.MaxWaitingTokens;
            Volatile.Write(ref _slotCount, runner.SlotCount);
            _shape = runner.Shape;
            LogStarted(runner.SlotCount, options.MaxBatchTokens);
            _started.TrySetResult(runner.Shape);
            using var watch = new StepWatch(options.StepTimeout, time, GiveUp);
            while (!_stopping.IsCancellationRequested)
            {
                if (!TryStep(runner, scheduler, watch))
                {
                    // Everything has been told to go on elsewhere meanwhile: nothing here may touch it.
                    return;
                }
            }

            scheduler.CheckIntegrity();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            LogStopped();
        }
        catch (Exception failure)
        {
            _fault = _fault.Length > 0 ? _fault : failure.Message;
            LogFault(failure);
            _started.TrySetException(failure);
        }

        End(scheduler);
    }

    /// <summary>Waits for work, or does one step of it.</summary>
    /// <returns>False if the step was given up before it ended.</returns>
    bool TryStep(IModelRunner runner, Scheduler scheduler, StepWatch watch)
    {
        DrainCommands(scheduler);
        if (!scheduler.HasWork)
        {
            // Idle: the last step's sequences are all accounted for, and only a command can bring work.
            scheduler.CheckIntegrity();
            Publish(scheduler, tokens: 0, steps: 0);
            if (_draining && _inFlight.IsEmpty)
            {
                _drained.TrySetResult();
            }

            Handle(_commands.Take(_stopping.Token), scheduler);
            return true;
        }

        StepPlan plan = scheduler.Schedule(Now);
        if (plan.Chunks.Count == 0)
        {
            throw new InvalidOperationException($"{scheduler.Running} running and {scheduler.Waiting} waiting sequences, and nothing to compute");
        }

        watch.Begin();
        IReadOnlyList<ChunkOutput> outputs = runner.Execute(plan);
        if (!watch.TryEnd())
        {
            return false;
        }

        DrainCommands(scheduler);
        scheduler.Apply(outputs, Now);
        int tokens = plan.TokenCount;
        _meter.Add(Now, tokens);
        Publish(scheduler, tokens, steps: 1);
        return true;
    }

    /// <summary>By the watch's timer, while the engine's thread hangs in the runner: ends everything for it, since nobody knows whether it ever comes back.</summary>
    void GiveUp(TimeSpan taken)
    {
        _fault = $"a step has taken longer than {options.StepTimeout.TotalSeconds:0.###} s (Igpt:StepTimeout): the device hangs, or is too slow for its token budget";
        LogHung(taken.TotalSeconds);
        Close();
        EngineStoppedException reason = Stopped();
        foreach (Sequence sequence in _inFlight.Values)
        {
            sequence.Stop(reason);
        }

        PublishEnd(reason);
    }

    void DrainCommands(Scheduler scheduler)
    {
        while (_commands.TryTake(out Command? command))
        {
            Handle(command, scheduler);
        }
    }

    static void Handle(Command command, Scheduler scheduler)
    {
        switch (command)
        {
            case Command.Submit submit:
                scheduler.Add(submit.Sequence);
                break;
            case Command.Abort abort:
                scheduler.Cancel(abort.Id);
                break;
            case Command.Evict:
                scheduler.Evict(new EngineStoppedException("the engine is being emptied: the generation can go on elsewhere"));
                break;
        }
    }

    void Publish(Scheduler scheduler, int tokens, int steps)
    {
        Volatile.Write(ref _slotsUsed, scheduler.SlotsUsed);
        Volatile.Write(ref _running, scheduler.Running);
        Volatile.Write(ref _steps, _steps + steps);
        Volatile.Write(ref _computedTokens, _computedTokens + tokens);
        Volatile.Write(ref _sharedTokens, scheduler.SharedTokens);
    }

    void End(Scheduler? scheduler)
    {
        Close();
        EngineStoppedException reason = Stopped();
        scheduler?.Stop(reason);
        while (_commands.TryTake(out Command? command))
        {
            (command as Command.Submit)?.Sequence.Stop(reason);
        }

        PublishEnd(reason);
    }

    EngineStoppedException Stopped() => new(_fault.Length > 0 ? $"the engine failed: {_fault}" : "the engine was stopped");

    void PublishEnd(EngineStoppedException reason)
    {
        _inFlight.Clear();
        Interlocked.Exchange(ref _tokensInFlight, 0);
        Volatile.Write(ref _slotsUsed, 0);
        Volatile.Write(ref _running, 0);
        _started.TrySetException(reason);
        _ended.TrySetResult();
    }
}
