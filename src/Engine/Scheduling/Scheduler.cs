using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// Decides what each step computes: one token of every decoding sequence first, then chunks of prefills by priority, what their clients have been served, and arrival, within
/// the token budget and the time that decoding sequences can be made to wait. Readmissions, which were streaming elsewhere, come first and may use the whole budget: their viewers
/// wait for the next token. Touches no tensor. The engine's thread only.
/// </summary>
sealed class Scheduler
{
    const int UnknownPrefill = 64; // tokens beside decoding sequences while no step has told what they cost

    readonly EngineOptions _options;
    readonly KvSlotPool _slots;
    readonly Sampler _sampler;
    readonly StepCost _cost;
    readonly StepBuilder _step;
    readonly IDrafter? _drafter;
    readonly RowCost _rowCost;
    readonly GuessPolicy _guesses;
    readonly ClientShares _shares = new();

    // Both in the order of service.
    readonly List<Sequence> _running = [];
    readonly List<Sequence> _waiting = [];
    readonly HashSet<Sequence> _passed = []; // waiting sequences that the step being planned cannot start
    long _arrivals;

    /// <param name="options">Batching.</param>
    /// <param name="shape">The model's sizes.</param>
    /// <param name="slotCount">KV slots.</param>
    /// <param name="drafter">Guesses tokens that steps verify; null for one token a step.</param>
    internal Scheduler(EngineOptions options, ModelShape shape, int slotCount, IDrafter? drafter = null)
    {
        int budget = Math.Max(options.MaxBatchTokens, slotCount);
        _options = options;
        _slots = new KvSlotPool(slotCount);
        _sampler = new Sampler(shape.ColourCount);
        _cost = new StepCost(budget);
        _step = new StepBuilder(budget);
        (_drafter, _rowCost) = (drafter, new RowCost(budget));
        _guesses = new GuessPolicy(_rowCost, slotCount);
    }

    internal int Running => _running.Count;

    internal int Waiting => _waiting.Count;

    internal int SlotsUsed => _slots.Used;

    internal long SharedTokens { get; private set; }

    /// <summary>Running generations that gave their slot to others of higher priority.</summary>
    internal long Preemptions { get; private set; }

    /// <summary>Tokens computed since the start, without guesses that were wrong.</summary>
    internal long ComputedTokens { get; private set; }

    /// <summary>Tokens guessed.</summary>
    internal long DraftedTokens { get; private set; }

    /// <summary>Of those, the ones that were right.</summary>
    internal long AcceptedTokens { get; private set; }

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

        if (_drafter is not null && sequence is GenerationSequence generation)
        {
            generation.DraftBy(_drafter);
        }

        sequence.Arrival = _arrivals++;
        sequence.Share = _shares.Enter(sequence.Client);
        Wait(sequence);
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
        End(found);
        return true;
    }

    /// <summary>Plans the next step; the sequences in it stay fixed until <see cref="Apply"/>.</summary>
    /// <returns>The plan, valid until the next one is asked for.</returns>
    internal StepPlan Schedule(TimeSpan now)
    {
        Preempt();
        _step.Begin(_running, now);
        _step.LimitPrefill(PrefillLimit(_step.Decoding));
        _step.ExtendForced();
        foreach (Sequence sequence in _running)
        {
            if (!sequence.IsDecoding)
            {
                _step.Prefill(sequence);
            }
        }

        _passed.Clear();
        while (_slots.Free > 0 && NextWaiting() is { } sequence && _step.HasRoomFor(sequence))
        {
            if (TryStart(sequence, now))
            {
                _step.Prefill(sequence);
            }
            else
            {
                _passed.Add(sequence);
            }
        }

        if (_drafter is not null)
        {
            _step.Guess(_guesses);
        }

        return _step.Build();
    }

    /// <summary>Hands the step's outputs to its sequences; those that were cancelled meanwhile are left out.</summary>
    /// <returns>Number of sequences that ended.</returns>
    internal int Apply(IReadOnlyList<ChunkOutput> outputs, TimeSpan now)
    {
        int ended = 0;
        _cost.Learn(_step.Decoding + _step.Guessed, _step.Prefilled, now - _step.PlannedAt);
        if (_step.Decoding > 0 && _step.Prefilled == 0)
        {
            _rowCost.Learn(_step.Decoding + _step.Guessed, now - _step.PlannedAt);
        }

        for (int i = 0; i < _step.Scheduled.Count; i++)
        {
            (Sequence sequence, int tokens) = _step.Scheduled[i];
            if (sequence.Status != SequenceStatus.Running)
            {
                sequence.Share!.Served += tokens;
                continue;
            }

            int guessed = Math.Max(0, tokens - sequence.Remaining), before = sequence.Computed;
            bool usable = sequence.Take(tokens, outputs[i], _sampler, now);
            int computed = usable ? sequence.Computed - before : tokens;
            Count(sequence, computed, guessed, accepted: usable ? computed - (tokens - guessed) : 0);
            if (usable && !sequence.IsFinished)
            {
                continue;
            }

            if (usable)
            {
                sequence.Finish();
            }

            End(sequence, holdsPrefix: usable);
            ended++;
        }

        return ended;
    }

    void Count(Sequence sequence, int computed, int guessed, int accepted)
    {
        // Guesses that were wrong are the policy's loss, not the client's.
        sequence.Share!.Served += computed;
        ComputedTokens += computed;
        DraftedTokens += guessed;
        AcceptedTokens += accepted;
    }

    /// <summary>Ends all generations, so that they can go on elsewhere; evaluations are short, and go on.</summary>
    internal void Evict(EngineStoppedException reason)
    {
        foreach (Sequence sequence in _running.Concat(_waiting).OfType<GenerationSequence>().ToArray())
        {
            sequence.Stop(reason);
            End(sequence);
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

    /// <summary>Of the first rank that can be started, the sequence of the client that has been served least; of that client's the one that came first.</summary>
    Sequence? NextWaiting()
    {
        Sequence? next = null;
        foreach (Sequence sequence in _waiting)
        {
            if (_passed.Contains(sequence))
            {
                continue;
            }

            if (next is not null && !ServiceOrder.HaveOneRank(sequence, next))
            {
                break;
            }

            if (next is null || sequence.Share!.Served < next.Share!.Served)
            {
                next = sequence;
            }
        }

        return next;
    }

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

            Release(victim, holdsPrefix: true);
            victim.Preempt();
            Wait(victim);
            Preemptions++;
        }
    }

    int PrefillLimit(int decoding) => decoding == 0 ? int.MaxValue : Math.Max(_cost.PrefillTokens(decoding, _options.DecodeStretch) ?? UnknownPrefill, _options.MinPrefillTokens);

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
            _step.Copy(new PrefixCopy(source!.Slot, slot, shared));
        }

        SharedTokens += shared;
        _waiting.Remove(sequence);
        (sequence.Slot, sequence.Status) = (slot, SequenceStatus.Running);
        sequence.SkipShared(shared);
        sequence.Start(now);
        ServiceOrder.Insert(_running, sequence);
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

    void Wait(Sequence sequence)
    {
        sequence.Status = SequenceStatus.Waiting;
        ServiceOrder.Insert(_waiting, sequence);
    }

    /// <summary>Takes a sequence that is over from where it is.</summary>
    void End(Sequence sequence, bool holdsPrefix = true)
    {
        if (sequence.Status == SequenceStatus.Running)
        {
            Release(sequence, holdsPrefix);
        }
        else
        {
            _waiting.Remove(sequence);
        }

        sequence.Status = SequenceStatus.Ended;
        _shares.Leave(sequence.Share!);
    }

    /// <summary>Takes a running sequence's slot back.</summary>
    void Release(Sequence sequence, bool holdsPrefix)
    {
        _running.Remove(sequence);
        _slots.Release(sequence.Slot, holdsPrefix ? sequence.Inputs[..sequence.Computed] : default, OwnerOf(sequence));
    }
}
