namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// How many tokens a step guesses: as many as make the most tokens a second, by how often each sequence's guesses were right lately and by what a further row costs. Where rows cost too
/// much, none. The engine's thread only.
/// </summary>
/// <param name="cost">What steps take.</param>
/// <param name="slotCount">The most sequences of a step.</param>
sealed class GuessPolicy(StepCost cost, int slotCount)
{
    /// <summary>The most guesses of one sequence.</summary>
    internal const int Most = 31;

    const double LeastGain = 0.02; // a guess that is of use less often is not worth looking at
    const int Patience = 32; // rows that a step may go on without being the best: products take rows in tiles

    readonly int[] _wanted = new int[slotCount];
    readonly double[] _gains = new double[slotCount]; // tokens that one more guess of each sequence would bring

    /// <summary>Chooses the number of guesses of each decoding sequence.</summary>
    /// <param name="decoding">The step's sequences, all of which decode one token.</param>
    /// <param name="room">Rows that the step has room for beside them.</param>
    /// <returns>One number each, valid until the next call.</returns>
    internal ReadOnlySpan<int> Plan(List<(Sequence Sequence, int Tokens)> decoding, int room)
    {
        int count = decoding.Count;
        Span<int> wanted = _wanted.AsSpan(0, count);
        wanted.Clear();

        // Twice what ran before at most: what more costs is not known, and one step must not take all too long.
        room = Math.Min(room, Math.Max(0, (2 * cost.Largest) + 2 - count));
        double plain = cost.Expect(count);
        if (plain <= 0 || room <= 0)
        {
            return wanted;
        }

        int rows = BestRows(decoding, room);
        for (int i = 0; i < count; i++)
        {
            _gains[i] = decoding[i].Sequence.Agreement;
        }

        for (int more = 0; more < rows; more++)
        {
            int next = Next(count);
            wanted[next]++;
            Advance(decoding, next, wanted[next]);
        }

        return wanted;
    }

    /// <summary>How many guesses in all make the most tokens a second.</summary>
    int BestRows(List<(Sequence Sequence, int Tokens)> decoding, int room)
    {
        int count = decoding.Count;
        for (int i = 0; i < count; i++)
        {
            (_gains[i], _wanted[i]) = (decoding[i].Sequence.Agreement, 0);
        }

        (int best, double tokens) = (0, count);
        double rate = tokens / cost.Expect(count);
        for (int more = 1; more <= room && more - best <= Patience; more++)
        {
            int next = Next(count);
            if (_gains[next] < LeastGain)
            {
                break;
            }

            tokens += _gains[next];
            Advance(decoding, next, ++_wanted[next]);
            double there = tokens / cost.Expect(count + more);
            (best, rate) = there > rate ? (more, there) : (best, rate);
        }

        _wanted.AsSpan(0, count).Clear();
        return best;
    }

    void Advance(List<(Sequence Sequence, int Tokens)> decoding, int index, int wanted) =>
        _gains[index] = wanted >= Most ? 0 : _gains[index] * decoding[index].Sequence.Agreement;

    int Next(int count) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(_gains.AsSpan(0, count));
}
