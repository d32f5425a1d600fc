using System.Numerics.Tensors;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// How many tokens a step guesses: as many as make the most tokens a second, by how likely guesses are to be right and by what a further row costs. Where rows cost too much, none.
/// The engine's thread only.
/// </summary>
/// <param name="cost">What steps take.</param>
/// <param name="slotCount">The most sequences of a step.</param>
sealed class GuessPolicy(RowCost cost, int slotCount)
{
    /// <summary>The most guesses of one sequence.</summary>
    internal const int Most = 31;

    const double LeastGain = 0.02; // tokens: a guess that brings less is not worth looking at
    const int Patience = 32; // rows that a step may go on without being the best: products take rows in tiles

    readonly int[] _wanted = new int[slotCount];
    readonly double[] _gains = new double[slotCount]; // tokens that each sequence's next guess would bring
    readonly List<int> _picks = []; // sequences, in the order in which guesses bring most

    /// <summary>Guesses for decoding sequences, and chooses how many of the guesses are to be verified.</summary>
    /// <param name="decoding">The step's sequences, all of which decode one token.</param>
    /// <param name="room">Rows that the step has room for beside them.</param>
    /// <returns>One number each, valid until the next call.</returns>
    internal ReadOnlySpan<int> Plan(List<(Sequence Sequence, int Tokens)> decoding, int room)
    {
        int count = decoding.Count;
        Span<int> wanted = _wanted.AsSpan(0, count);
        wanted.Clear();
        double seconds = cost.Expect(count);
        if (seconds <= 0)
        {
            return wanted;
        }

        // Twice what ran before at most: what more costs is not known, and one step must not take all too long.
        int best = BestCount(decoding, Math.Min(room, Math.Max(0, (2 * cost.Largest) + 2 - count)), count / seconds);
        wanted.Clear();
        for (int pick = 0; pick < best; pick++)
        {
            wanted[_picks[pick]]++;
        }

        return wanted;
    }

    /// <summary>How many of <see cref="_picks"/> make the most tokens a second.</summary>
    int BestCount(List<(Sequence Sequence, int Tokens)> decoding, int room, double rate)
    {
        Span<double> gains = _gains.AsSpan(0, decoding.Count);
        for (int i = 0; i < gains.Length; i++)
        {
            decoding[i].Sequence.BeginGuesses();
            gains[i] = decoding[i].Sequence.Guess();
        }

        _picks.Clear();
        (int best, double tokens) = (0, decoding.Count);
        for (int more = 1; more <= room && more - best <= Patience; more++)
        {
            int next = TensorPrimitives.IndexOfMax<double>(gains);
            if (gains[next] < LeastGain)
            {
                break;
            }

            tokens += gains[next];
            _picks.Add(next);
            gains[next] *= ++_wanted[next] < Most ? decoding[next].Sequence.Guess() : 0;
            double there = tokens / cost.Expect(decoding.Count + more);
            (best, rate) = there > rate ? (more, there) : (best, rate);
        }

        return best;
    }
}
