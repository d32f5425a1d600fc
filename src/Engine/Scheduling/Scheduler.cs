namespace IgptCluster.Engine;

/// <summary>
/// Decides what each step computes: one token of every decoding sequence first, then chunks of prefills by priority and arrival, within
/// the token budget. Touches no tensor. The engine's thread only.
/// </summary>
sealed class Scheduler
{
    readonly EngineOptions _options;
    readonly KvSlotPool _slots;
    readonly Sampler _sampler;
    readonly int _budget;

    // Both in the order of service: higher priority first, then earlier arrival.
    readonly List<Sequence> _running = [];
    readonly List<Sequence> _waiting = [];
    readonly List<(Sequence Sequence, int Tokens)> _scheduled = [];
    long _arrivals;

    internal Scheduler(EngineOptions options, ModelShape shape, int slotCount)
    {
        _options = options;
        _slots = new KvSlotPool(slotCount);
        _sampler = new Sampler(Math.Min(shape.LogitCount, shape.VocabularySize - 1));
        _budget = Math.Max(options.MaxBatchTokens, slotCount);
    }

    internal int Running => _running.Count;

    internal int Waiting => _waiting.Count;

    internal int SlotsUsed => _slots.Used;

    internal long SharedTokens { get; private set; }

    internal bool HasWork => _running.Count + _waiting.Count > 0;

    /// <summary>Queues a sequence. One whose tokens are all given already ends at once.</summary>
    /// <returns>False if it ended.</returns>
    internal bool Add(Sequence sequence)
    {
        if (sequence.IsFinished)
        {
            sequence.Finish();
            return false;
        }

        sequence.Arrival = _arrivals++;
        Insert(_waiting, sequence);
        return true;
    }

    /// <summary>Ends a sequence by its name, wherever it is.</summary>
    /// <returns>False if there is none.</returns>
    internal bool Cancel(SequenceId id)
    {
        if ((_running.Find(sequence => sequence.Id == id) ?? _waiting.Find(sequence => sequence.Id == id)) is not { } found)
        {
            return false;
        }

        found.Cancel();
        Remove(found);
        return true;
    }

    /// <summary>Plans the next step; the sequences in it stay fixed until <see cref="Apply"/>.</summary>
    internal StepPlan Schedule(TimeSpan now)
    {
        _scheduled.Clear();
        var copies = new List<PrefixCopy>();
        int budget = _budget;
        foreach (Sequence sequence in _running.Where(sequence => sequence.IsDecoding))
        {
            // A forced run behind the last token is a chunk of its own; the first token of each is always in the budget.
            budget -= Plan(sequence, 1);
        }

        for (int i = 0; i < _scheduled.Count && budget > 0; i++)
        {
            (Sequence sequence, int tokens) = _scheduled[i];
            int more = Math.Min(budget, sequence.Remaining - tokens);
            _scheduled[i] = (sequence, tokens + more);
            budget -= more;
        }

        foreach (Sequence sequence in _running.Where(sequence => !sequence.IsDecoding))
        {
            budget -= Plan(sequence, budget);
        }

        for (int i = 0; i < _waiting.Count && budget > 0 && _slots.Free > 0; i++)
        {
            Sequence sequence = _waiting[i];
            if (TryStart(sequence, copies, now))
            {
                _waiting.RemoveAt(i--);
                budget -= Plan(sequence, budget);
            }
        }

        return new StepPlan(copies, [.. _scheduled.Select(chunk => chunk.Sequence.NextChunk(chunk.Tokens))]);
    }

    /// <summary>Hands the step's outputs to its sequences; those that were cancelled meanwhile are left out.</summary>
    /// <returns>Number of sequences that ended.</returns>
    internal int Apply(IReadOnlyList<ChunkOutput> outputs, TimeSpan now)
    {
        int ended = 0;
        for (int i = 0; i < _scheduled.Count; i++)
        {
            (Sequence sequence, int tokens) = _scheduled[i];
            if (sequence.Slot < 0)
            {
                continue;
            }

            bool usable = sequence.Accept(tokens, outputs[i], _sampler, now);
            if (usable && !sequence.IsFinished)
            {
                continue;
            }

            if (usable)
            {
                sequence.Finish();
            }

            Remove(sequence);
            ended++;
        }

        _scheduled.Clear();
        return ended;
    }

    /// <summary>Ends all sequences because the engine stops.</summary>
    internal void Stop(EngineStoppedException reason)
    {
        foreach (Sequence sequence in (Sequence[])[.. _running, .. _waiting])
        {
            sequence.Stop(reason);
            Remove(sequence);
        }
    }

    /// <summary>Every slot is either free or held by exactly one running sequence.</summary>
    /// <exception cref="InvalidOperationException">A slot leaked.</exception>
    internal void CheckIntegrity()
    {
        if (_slots.Used != _running.Count || _running.Select(sequence => sequence.Slot).Distinct().Count() != _running.Count)
        {
            throw new InvalidOperationException($"{_slots.Used} KV slots are in use by {_running.Count} running sequences");
        }
    }

    int Plan(Sequence sequence, int budget)
    {
        int tokens = Math.Min(budget, sequence.Remaining);
        if (tokens > 0)
        {
            _scheduled.Add((sequence, tokens));
        }

        return Math.Max(0, tokens);
    }

    /// <summary>Gives a waiting sequence a slot, with the longest prefix that some slot holds, or lets it wait for a prefix being computed.</summary>
    bool TryStart(Sequence sequence, List<PrefixCopy> copies, TimeSpan now)
    {
        ReadOnlySpan<int> inputs = sequence.Inputs.Span[..sequence.ShareableInputs];
        (Sequence? source, int held, int promised) = LongestRunning(inputs);
        (int freed, int left) = _slots.LongestPrefix(inputs);
        int shared = Math.Max(held, left);
        if (promised > shared && promised >= _options.MinSharedPrefix)
        {
            return false;
        }

        if (shared < _options.MinSharedPrefix)
        {
            shared = 0;
        }

        int slot = freed;
        if (shared > 0 && left >= held)
        {
            _slots.Acquire(slot);
        }
        else if (!_slots.TryAcquire(out slot))
        {
            return false;
        }
        else if (shared > 0)
        {
            copies.Add(new PrefixCopy(source!.Slot, slot, shared));
        }

        sequence.Slot = slot;
        sequence.SkipShared(shared);
        SharedTokens += shared;
        sequence.Start(now);
        Insert(_running, sequence);
        return true;
    }

    /// <summary>The running sequence that holds most of a prefix, how much that is, and how much any of them will hold once prefilled.</summary>
    (Sequence? Source, int Held, int Promised) LongestRunning(ReadOnlySpan<int> inputs)
    {
        (Sequence? Source, int Held, int Promised) best = (null, 0, 0);
        foreach (Sequence other in _running)
        {
            int common = inputs.CommonPrefixLength(other.Inputs.Span);
            int held = Math.Min(common, other.Computed);
            int promised = other.IsDecoding ? 0 : common;
            best = (held > best.Held ? other : best.Source, Math.Max(held, best.Held), Math.Max(promised, best.Promised));
        }

        return best;
    }

    void Remove(Sequence sequence)
    {
        if (sequence.Slot < 0)
        {
            _waiting.Remove(sequence);
            return;
        }

        _running.Remove(sequence);
        _slots.Release(sequence.Slot, sequence.Inputs[..sequence.Computed]);
        sequence.Slot = -1;
    }

    static void Insert(List<Sequence> list, Sequence sequence)
    {
        int index = list.FindIndex(other => other.Priority < sequence.Priority || (other.Priority == sequence.Priority && other.Arrival > sequence.Arrival));
        list.Insert(index < 0 ? list.Count : index, sequence);
    }
}
