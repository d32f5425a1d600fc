using IgptCluster.Engine.Admission;
using IgptCluster.Engine.Drafting;
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
/// <param name="createDrafter">Makes what guesses tokens for steps to verify; called once, on the engine's thread, behind <paramref name="createRunner"/>, whose rows must have the same bits in any step. Null, or one
/// that gives null: one token a step.</param>
public sealed partial class EngineLoop(EngineOptions options, Func<IModelRunner> createRunner, TimeProvider time, ILogger logger, Func<IDrafter?>? createDrafter = null) : IAsyncDisposable
{
    readonly AdmissionControl _admission = new(options);
    readonly TaskCompletionSource<ModelShape> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _stopping = new();
    readonly ThroughputMeter _meter = new();
    readonly long _epoch = time.GetTimestamp();
    Thread? _thread;
    ModelShape? _shape;
    volatile EngineStatus _status = new(); // after the latest step, replaced as a whole
    volatile string _fault = "";

    /// <summary>The model's sizes.</summary>
    /// <exception cref="InvalidOperationException">The engine has not started yet.</exception>
    public ModelShape Shape => _shape ?? throw new InvalidOperationException("the engine has not started: await StartAsync first");

    /// <summary>Most sequences that it takes at a time, those that run and those that wait; 0 before it has started.</summary>
    public int Capacity => _admission.Capacity;

    /// <summary>The load after the latest step, with what was submitted since.</summary>
    public EngineStatus Status
    {
        get
        {
            EngineStatus status = _status;
            return status with
            {
                Waiting = Math.Max(0, _admission.InFlight - status.Running),
                TokensPerSecond = _meter.Rate(Now),
                TokensInFlight = _admission.TokensInFlight,
                Draining = _admission.IsDraining,
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
        SubmitOutcome outcome = _admission.TryAdmit(sequence);
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
        SubmitOutcome outcome = _admission.TryAdmit(sequence);
        result = outcome == SubmitOutcome.Accepted ? sequence.Completion : null;
        return outcome;
    }

    /// <summary>Ends a sequence and frees its slot before the next step. One that has ended is left as it is.</summary>
    /// <param name="id">The sequence.</param>
    public void Cancel(SequenceId id) => _admission.Abort(id);

    /// <summary>Takes no more requests; completes when all that were accepted have ended.</summary>
    /// <param name="evict">Whether generations end now, between two steps, with <see cref="EngineStoppedException"/>: another engine can take them up.</param>
    public Task DrainAsync(bool evict = false)
    {
        _admission.Drain(evict);
        return _thread is null ? Task.CompletedTask : Task.WhenAny(_drained.Task, _ended.Task);
    }

    /// <summary>Stops the engine: what is in flight ends with <see cref="EngineStoppedException"/>, then the runner is disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        // In this order: an idle engine's wait for the next command must find out that it was stopped, not that none will come.
        await _stopping.CancelAsync();
        _admission.Close();
        if (_thread is not null)
        {
            await _ended.Task;
        }
    }

    void Run()
    {
        try
        {
            using IModelRunner runner = createRunner();
            IDrafter? drafter = createDrafter?.Invoke();
            var scheduler = new Scheduler(options, runner.Shape, runner.SlotCount, drafter);
            _admission.Open(runner.Shape, runner.SlotCount);
            _status = new EngineStatus { SlotsTotal = runner.SlotCount, Drafter = drafter?.Name ?? "" };
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

        PublishEnd();
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
            Publish(scheduler, steps: 0);
            if (_admission.IsDrained)
            {
                _drained.TrySetResult();
            }

            Handle(_admission.Take(_stopping.Token), scheduler);
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
        long before = scheduler.ComputedTokens;
        scheduler.Apply(outputs, Now);
        _meter.Add(Now, (int)(scheduler.ComputedTokens - before));
        Publish(scheduler, steps: 1);
        return true;
    }

    /// <summary>By the watch's timer, while the engine's thread hangs in the runner: ends everything for it, since nobody knows whether it ever comes back.</summary>
    void GiveUp(TimeSpan taken)
    {
        _fault = $"a step has taken longer than {options.StepTimeout.TotalSeconds:0.###} s (Igpt:StepTimeout): the device hangs, or is too slow for its token budget";
        LogHung(taken.TotalSeconds);
        PublishEnd();
    }

    void DrainCommands(Scheduler scheduler)
    {
        while (_admission.TryTake(out EngineCommand? command))
        {
            Handle(command, scheduler);
        }
    }

    static void Handle(EngineCommand command, Scheduler scheduler)
    {
        switch (command)
        {
            case EngineCommand.Submit submit:
                scheduler.Add(submit.Sequence);
                break;
            case EngineCommand.Abort abort:
                scheduler.Cancel(abort.Id);
                break;
            case EngineCommand.Evict:
                scheduler.Evict(new EngineStoppedException("the engine is being emptied: the generation can go on elsewhere"));
                break;
        }
    }

    void Publish(Scheduler scheduler, int steps) => _status = _status with
    {
        SlotsUsed = scheduler.SlotsUsed,
        Running = scheduler.Running,
        Steps = _status.Steps + steps,
        ComputedTokens = scheduler.ComputedTokens,
        SharedTokens = scheduler.SharedTokens,
        DraftedTokens = scheduler.DraftedTokens,
        AcceptedTokens = scheduler.AcceptedTokens,
    };

    void PublishEnd()
    {
        var reason = new EngineStoppedException(_fault.Length > 0 ? $"the engine failed: {_fault}" : "the engine was stopped");
        _admission.Close();
        _admission.StopAll(reason);
        _status = _status with { SlotsUsed = 0, Running = 0 };
        _started.TrySetException(reason);
        _ended.TrySetResult();
    }
}
