using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Scheduling;

namespace IgptCluster.Engine.Admission;

/// <summary>
/// Decides which sequences an engine takes, counts those in flight, and queues what other threads ask of the engine's thread. Any thread, unless a member says otherwise.
/// </summary>
/// <param name="options">Queue limits.</param>
sealed class AdmissionControl(EngineOptions options)
{
    // Bounded by admission: at most one submission and a few cancellations per sequence in flight.
    readonly BlockingCollection<EngineCommand> _commands = [];
    readonly ConcurrentDictionary<SequenceId, Sequence> _inFlight = new();
    readonly Lock _lock = new();
    int _capacity;
    long _tokenCapacity;
    long _tokensInFlight;
    volatile bool _draining;

    /// <summary>Most sequences in flight; 0 until <see cref="Open"/>.</summary>
    internal int Capacity => Volatile.Read(ref _capacity);

    /// <summary>Sequences in flight, those just admitted included.</summary>
    internal int InFlight => _inFlight.Count;

    /// <summary>Tokens of all sequences in flight, computed and still to be computed.</summary>
    internal long TokensInFlight => Interlocked.Read(ref _tokensInFlight);

    /// <summary>Whether nothing more is admitted, and what is in flight goes on.</summary>
    internal bool IsDraining => _draining;

    /// <summary>Whether it drains, and nothing is in flight any more.</summary>
    internal bool IsDrained => _draining && _inFlight.IsEmpty;

    /// <summary>Sets the limits once the runner's sizes are known.</summary>
    internal void Open(ModelShape shape, int slotCount)
    {
        _tokenCapacity = ((long)slotCount * shape.PositionCount) + options.MaxWaitingTokens;
        Volatile.Write(ref _capacity, slotCount + options.MaxWaiting);
    }

    /// <summary>Admits a sequence and queues its submission.</summary>
    /// <exception cref="EngineRequestException">A sequence in flight has its id.</exception>
    internal SubmitOutcome TryAdmit(Sequence sequence)
    {
        lock (_lock)
        {
            if (_commands.IsAddingCompleted)
            {
                return SubmitOutcome.Stopped;
            }

            if (_draining)
            {
                return SubmitOutcome.Draining;
            }

            if (!sequence.IsReadmission && (_inFlight.Count >= _capacity || TokensInFlight + sequence.Work > _tokenCapacity))
            {
                return SubmitOutcome.QueueFull;
            }

            if (!_inFlight.TryAdd(sequence.Id, sequence))
            {
                throw new EngineRequestException($"a sequence's id must be unique among those in flight; given '{sequence.Id}' again");
            }

            Interlocked.Add(ref _tokensInFlight, sequence.Work);
            sequence.Ended = Forget;
            _commands.Add(new EngineCommand.Submit(sequence));
            return SubmitOutcome.Accepted;
        }
    }

    /// <summary>Queues the end of a sequence, unless it has ended.</summary>
    internal void Abort(SequenceId id)
    {
        lock (_lock)
        {
            if (!_commands.IsAddingCompleted && _inFlight.ContainsKey(id))
            {
                _commands.Add(new EngineCommand.Abort(id));
            }
        }
    }

    /// <summary>Admits nothing more.</summary>
    /// <param name="evict">Whether the generations in flight end between two steps.</param>
    internal void Drain(bool evict)
    {
        lock (_lock)
        {
            _draining = true;
            if (!_commands.IsAddingCompleted)
            {
                _commands.Add(evict ? new EngineCommand.Evict() : new EngineCommand.Wake());
            }
        }
    }

    /// <summary>Takes the next command if there is one. The engine's thread only.</summary>
    internal bool TryTake([NotNullWhen(true)] out EngineCommand? command) => _commands.TryTake(out command);

    /// <summary>Waits for the next command. The engine's thread only.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal EngineCommand Take(CancellationToken cancellationToken) => _commands.Take(cancellationToken);

    /// <summary>Admits nothing and queues nothing from now on.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _commands.CompleteAdding();
        }
    }

    /// <summary>Ends all sequences in flight because the engine stops. Closed before.</summary>
    /// <param name="reason">What their callers are told; a sequence that has ended keeps its end.</param>
    internal void StopAll(EngineStoppedException reason)
    {
        foreach (Sequence sequence in _inFlight.Values)
        {
            sequence.Stop(reason);
        }
    }

    void Forget(SequenceId id)
    {
        if (_inFlight.TryRemove(id, out Sequence? sequence))
        {
            Interlocked.Add(ref _tokensInFlight, -sequence.Work);
        }
    }
}
