using IgptCluster.Engine.Runner;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// Collects what one step computes, within its token budget. One for all steps: its lists are used again, so that planning a step allocates nothing. The engine's thread only.
/// </summary>
/// <param name="budget">Most tokens of a step, at least the number of KV slots.</param>
sealed class StepBuilder(int budget)
{
    readonly List<(Sequence Sequence, int Tokens)> _scheduled = [];
    readonly List<PrefixCopy> _copies = [];
    readonly List<SequenceChunk> _chunks = [];
    StepPlan? _plan;
    int _left; // tokens of the budget
    int _leftForNew; // of those, tokens that decoding sequences can be made to wait for

    /// <summary>The step's sequences, decoding ones first, each with the number of its tokens.</summary>
    internal IReadOnlyList<(Sequence Sequence, int Tokens)> Scheduled => _scheduled;

    /// <summary>How many of the step's sequences decode.</summary>
    internal int Decoding { get; private set; }

    /// <summary>Tokens that the step guesses.</summary>
    internal int Guessed { get; private set; }

    /// <summary>Tokens that the step prefills.</summary>
    internal int Prefilled => budget - _left - Decoding - Guessed;

    /// <summary>When the step was planned.</summary>
    internal TimeSpan PlannedAt { get; private set; }

    /// <summary>Begins a step with one token of every decoding sequence.</summary>
    /// <param name="running">The running sequences.</param>
    /// <param name="now">The time.</param>
    internal void Begin(List<Sequence> running, TimeSpan now)
    {
        _scheduled.Clear();
        _copies.Clear();
        _chunks.Clear();
        foreach (Sequence sequence in running)
        {
            if (sequence.IsDecoding)
            {
                _scheduled.Add((sequence, 1));
            }
        }

        (PlannedAt, Decoding, Guessed) = (now, _scheduled.Count, 0);
        _leftForNew = _left = budget - Decoding;
    }

    /// <summary>Limits what is prefilled beside the decoding sequences, readmissions excepted.</summary>
    internal void LimitPrefill(int tokens) => _leftForNew = Math.Min(_leftForNew, tokens);

    /// <summary>Feeds what was forced behind a decoding sequence's last token like a prefill.</summary>
    internal void ExtendForced()
    {
        for (int i = 0; i < Decoding && _leftForNew > 0; i++)
        {
            (Sequence sequence, int tokens) = _scheduled[i];
            int more = Math.Min(_leftForNew, sequence.Remaining - tokens);
            _scheduled[i] = (sequence, tokens + more);
            Spend(more);
        }
    }

    /// <summary>Whether the step can compute tokens of a sequence that prefills.</summary>
    internal bool HasRoomFor(Sequence sequence) => RoomFor(sequence) > 0;

    /// <summary>Prefills as much of a sequence as there is room for.</summary>
    internal void Prefill(Sequence sequence)
    {
        int tokens = Math.Min(RoomFor(sequence), sequence.Remaining);
        if (tokens > 0)
        {
            _scheduled.Add((sequence, tokens));
            Spend(tokens);
        }
    }

    /// <summary>Where the step does nothing but decode, has it verify guesses beside, as many as pay.</summary>
    internal void Guess(GuessPolicy policy)
    {
        if (Decoding == 0 || _scheduled.Count > Decoding || Prefilled > 0)
        {
            return;
        }

        ReadOnlySpan<int> wanted = policy.Plan(_scheduled, _left);
        for (int i = 0; i < Decoding; i++)
        {
            _scheduled[i] = (_scheduled[i].Sequence, 1 + wanted[i]);
            Guessed += wanted[i];
            Spend(wanted[i]);
        }
    }

    /// <summary>Copies the keys and values of a prefix from one slot to another before the step.</summary>
    internal void Copy(PrefixCopy copy) => _copies.Add(copy);

    /// <summary>The step's plan, valid until the next step begins.</summary>
    internal StepPlan Build()
    {
        foreach ((Sequence sequence, int tokens) in _scheduled)
        {
            _chunks.Add(sequence.NextChunk(tokens));
        }

        return _plan ??= new StepPlan(_copies, _chunks);
    }

    int RoomFor(Sequence sequence) => sequence.IsReadmission ? _left : _leftForNew;

    void Spend(int tokens)
    {
        _left -= tokens;
        _leftForNew -= tokens;
    }
}
