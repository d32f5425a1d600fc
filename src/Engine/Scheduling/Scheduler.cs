using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// Decides what each step computes: one token of every decoding sequence first, then chunks of prefills by priority, what their clients have been served, and arrival, within
/// the token budget and the time that decoding sequences can be made to wait. What had been streaming elsewhere comes first and has the whole budget: its viewers see nothing until
/// then. Touches no tensor. The engine's thread only.
/// </summary>
sealed class Scheduler
{
    const int UnknownPrefill = 64; // tokens beside decoding sequences while no step has told what they cost

    readonly EngineOptions _options;
    readonly KvSlotPool _slots;
    readonly Sampler _sampler;
    readonly StepCost _cost;
    readonly int _budget;

    // Both in the order of service: higher priority first, then earlier arrival.
    readonly List<Sequence> _running = [];
    readonly List<Sequence> _waiting = [];
    readonly List<(Sequence Sequence, int Tokens)> _scheduled = [];

    // The plan of the step that runs, made anew for each: nothing is allocated per step.
    readonly List<PrefixCopy> _copies = [];
    readonly List<SequenceChunk> _chunks = [];
    readonly StepPlan _plan;
    TimeSpan _planned;
    readonly ClientShares _shares = new();
    readonly HashSet<Sequence> _passed = [];
    int _decoding;
    int _room; // tokens left of the step's budget
    int _roomForNew; // of those, left of what decoding sequences are made to wait for
    long _arrivals;

    internal Scheduler(EngineOptions options, ModelShape shape, int slotCount)
    {
        _options = options;
        _slots = new KvSlotPool(slotCount);
        _sampler = new Sampler(shape.ColourCount);
        _cost = new StepCost(slotCount);
        _budget = Math.Max(options.MaxBatchTokens, slotCount);
        _plan = new StepPlan(_copies, _chunks);
    }

    internal int Running => _running.Count;

    internal int Waiting => _waiting.Count;

    internal int SlotsUsed => _slots.Used;

    internal long SharedTokens { get; private set; }

    /// <summary>Running generations that gave their slot to others of higher priority.</summary>
    internal long Preemptions { get; private set; }

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

        sequence.Arrival = sequence.IsReadmission ? _arrivals++ - (long.MaxValue / 2) : _arrivals++;
        sequence.Share = _shares.Enter(sequence.Client);
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
        _shares.Leave(found.Share!);
        return true;
    }

    /// <summary>Plans the next step; the sequences in it stay fixed until <see cref="Apply"/>.</summary>
    /// <returns>The plan, valid until the next one is asked for.</returns>
    internal StepPlan Schedule(TimeSpan now)
    {
        _scheduled.Clear();
        _copies.Clear();
        _chunks.Clear();
        Preempt();
        foreach (Sequence sequence in _running)
        {
            if (sequence.IsDecoding)
            {
                _scheduled.Add((sequence, 1));
            }
        }

        (_planned, _decoding) = (now, _scheduled.Count);
        _room = _budget - _decoding;
        _roomForNew = Math.Min(_room, PrefillLimit());
        ExtendForced();
        foreach (Sequence sequence in _running)
        {
            if (!sequence.IsDecoding)
            {
                Plan(sequence, Room(sequence));
            }
        }

        _passed.Clear();
        while (_slots.Free > 0 && NextWaiting() is { } sequence && Room(sequence) > 0)
        {
            if (TryStart(sequence, now))
            {
                _waiting.Remove(sequence);
                Plan(sequence, Room(sequence));
            }
            else
            {
                _passed.Add(sequence);
            }
        }

        foreach ((Sequence sequence, int tokens) in _scheduled)
        {
            _chunks.Add(sequence.NextChunk(tokens));
        }

        return _plan;
    }

    /// <summary>Hands the step's outputs to its sequences; those that were cancelled meanwhile are left out.</summary>
    /// <returns>Number of sequences that ended.</returns>
    internal int Apply(IReadOnlyList<ChunkOutput> outputs, TimeSpan now)
    {
        int ended = 0;
        _cost.Learn(_decoding, _plan.TokenCount - _decoding, now - _planned);
        for (int i = 0; i < _scheduled.Count; i++)
        {
            (Sequence sequence, int tokens) = _scheduled[i];
            sequence.Share!.Served += tokens;
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

            Remove(sequence, holdsPrefix: usable);
            _shares.Leave(sequence.Share!);
            ended++;
        }

        _scheduled.Clear();
        return ended;
    }

    /// <summary>Ends all sequences because the engine stops.</summary>
    internal void Stop(EngineStoppedException reason) => Stop([.. _running, .. _waiting], reason);

    /// <summary>Ends all generations, so that they can go on elsewhere; evaluations are short, and go on.</summary>
    internal void Evict(EngineStoppedException reason) => Stop([.. _running.Concat(_waiting).OfType<GenerationSequence>()], reason);

    /// <summary>Every slot is either free or held by exactly one running sequence.</summary>
    /// <exception cref="InvalidOperationException">A slot leaked.</exception>
    internal void CheckIntegrity()
    {
        if (_slots.Used != _running.Count || _running.Select(sequence => sequence.Slot).Distinct().Count() != _running.Count)
        {
            throw new InvalidOperationException($"{_slots.Used} KV slots are in use by {_running.Count} running sequences");
        }
    }

    void Stop(Sequence[] sequences, EngineStoppedException reason)
    {
        foreach (Sequence sequence in sequences)
        {
            sequence.Stop(reason);
            Remove(sequence);
            _shares.Leave(sequence.Share!);
        }
    }

    /// <summary>Of the highest priority that waits, what had been streaming elsewhere, then the sequence of the client that has been served least; of that client's the one that came first.</summary>
    Sequence? NextWaiting()
    {
        Sequence? next = null;
        foreach (Sequence sequence in _waiting)
        {
            // In the order of service: what follows has a lower priority.
            if (next is not null && sequence.Priority < next.Priority)
            {
                break;
            }

            if (!_passed.Contains(sequence) && (next is null || IsBefore(sequence, next)))
            {
                next = sequence;
            }
        }

        return next;
    }

    static bool IsBefore(Sequence sequence, Sequence other) =>
        sequence.IsReadmission == other.IsReadmission ? sequence.Share!.Served < other.Share!.Served : sequence.IsReadmission;

    /// <summary>Where no slot is free, running generations give theirs to waiting sequences of higher priority, and wait again.</summary>
    void Preempt()
    {
        for (int waiting = 0; waiting < _waiting.Count && _slots.Free == waiting; waiting++)
        {
            // In the order of service: the last is the one to go first.
            int priority = _waiting[waiting].Priority;
            if (_running.FindLast(running => running.CanBePreempted) is not { } victim || victim.Priority >= priority)
            {
                return;
            }

            Remove(victim);
            victim.Preempt();
            Insert(_waiting, victim);
            Preemptions++;
        }
    }

    int PrefillLimit() => _decoding == 0 ? int.MaxValue : Math.Max(_cost.PrefillTokens(_decoding, _options.DecodeStretch) ?? UnknownPrefill, _options.MinPrefillTokens);

    int Room(Sequence sequence) => sequence.IsReadmission ? _room : _roomForNew;

    /// <summary>A forced run behind a decoding sequence's last token is fed like a prefill.</summary>
    void ExtendForced()
    {
        for (int i = 0; i < _decoding && _roomForNew > 0; i++)
        {
            (Sequence sequence, int tokens) = _scheduled[i];
            int more = Math.Min(_roomForNew, sequence.Remaining - tokens);
            _scheduled[i] = (sequence, tokens + more);
            Spend(more);
        }
    }

    void Plan(Sequence sequence, int most)
    {
        int tokens = Math.Min(most, sequence.Remaining);
        if (tokens > 0)
        {
            _scheduled.Add((sequence, tokens));
            Spend(tokens);
        }
    }

    void Spend(int tokens)
    {
        _room -= tokens;
        _roomForNew -= tokens;
    }

    /// <summary>Gives a waiting sequence a slot, with the longest prefix that some slot holds, or lets it wait for a prefix being computed.</summary>
    bool TryStart(Sequence sequence, TimeSpan now)
    {
        ReadOnlySpan<int> inputs = sequence.Inputs.Span[..sequence.ShareableInputs];
        (Sequence? source, int held, int promised) = LongestRunning(inputs, OwnerOf(sequence));
        (int freed, int left) = _slots.LongestPrefix(inputs, OwnerOf(sequence));
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
            _copies.Add(new PrefixCopy(source!.Slot, slot, shared));
        }

        sequence.Slot = slot;
        sequence.SkipShared(shared);
        SharedTokens += shared;
        sequence.Start(now);
        Insert(_running, sequence);
        return true;
    }

    /// <summary>Whose sequences a sequence shares prefixes with: how soon a first token comes must not tell one client what another has sent.</summary>
    string OwnerOf(Sequence sequence) => _options.SharesPrefixesAcrossClients ? "" : sequence.Client;

    /// <summary>The running sequence of an owner that holds most of a prefix, how much that is, and how much any of them will hold once prefilled.</summary>
    (Sequence? Source, int Held, int Promised) LongestRunning(ReadOnlySpan<int> inputs, string owner)
    {
        (Sequence? Source, int Held, int Promised) best = (null, 0, 0);
        foreach (Sequence other in _running)
        {
            int common = OwnerOf(other) == owner ? inputs.CommonPrefixLength(other.Inputs.Span) : 0;
            int held = Math.Min(common, other.Computed);
            int promised = other.IsDecoding ? 0 : common;
            best = (held > best.Held ? other : best.Source, Math.Max(held, best.Held), Math.Max(promised, best.Promised));
        }

        return best;
    }

    void Remove(Sequence sequence, bool holdsPrefix = true)
    {
        if (sequence.Slot < 0)
        {
            _waiting.Remove(sequence);
            return;
        }

        _running.Remove(sequence);
        _slots.Release(sequence.Slot, holdsPrefix ? sequence.Inputs[..sequence.Computed] : default, OwnerOf(sequence));
        sequence.Slot = -1;
    }

    static void Insert(List<Sequence> list, Sequence sequence)
    {
        int index = list.FindIndex(other => other.Priority < sequence.Priority || (other.Priority == sequence.Priority && other.Arrival > sequence.Arrival));
        list.Insert(index < 0 ? list.Count : index, sequence);
    }
}
