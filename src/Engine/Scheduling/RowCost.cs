using System.Numerics;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// What steps of so many decoding rows take on this device, learned from those that ran. Rows are told apart roughly; what has not been seen for long is forgotten, since it changes with
/// the lengths of sequences and with what else the machine does. The engine's thread only.
/// </summary>
/// <param name="most">The most rows a step can have.</param>
sealed class RowCost(int most)
{
    const int Memory = 512; // steps
    const int MemoryOfOne = 16; // steps: what was seen once may have been something else, such as code that is compiled at its first use
    const double Faster = 0.25; // weight of a step that took less than expected
    const double Slower = 0.06; // of one that took longer: others may have had the processor meanwhile
    const double MostSlower = 2; // times what was expected, at most

    readonly (double Rows, double Seconds, long Step, int Count)[] _seen = new (double, double, long, int)[ClassOf(most) + 1];
    long _step;

    /// <summary>The most rows that a step has had lately.</summary>
    internal int Largest { get; private set; }

    /// <summary>Takes in a step that only decoded.</summary>
    /// <param name="rows">Its rows, at least 1.</param>
    /// <param name="taken">How long it took; nothing is learned from 0.</param>
    internal void Learn(int rows, TimeSpan taken)
    {
        _step++;
        if (taken <= TimeSpan.Zero)
        {
            return;
        }

        ref (double Rows, double Seconds, long Step, int Count) seen = ref _seen[ClassOf(rows)];
        double seconds = taken.TotalSeconds;
        if (IsFresh(seen))
        {
            double weight = seconds < seen.Seconds ? Faster : Slower;
            seen = (seen.Rows + (weight * (rows - seen.Rows)), seen.Seconds + (weight * (Math.Min(seconds, MostSlower * seen.Seconds) - seen.Seconds)), _step, seen.Count + 1);
        }
        else
        {
            // What was seen once, a while ago, is confirmed or corrected now.
            seen = seen.Count == 1 ? (rows, Math.Min(seconds, seen.Seconds), _step, 2) : (rows, seconds, _step, 1);
        }

        Largest = 0;
        foreach ((double Rows, double Seconds, long Step, int Count) one in _seen)
        {
            Largest = IsFresh(one) ? (int)Math.Ceiling(one.Rows) : Largest;
        }
    }

    /// <summary>Seconds that a step is expected to take: on the line between what fewer and more rows took; more than any step had, no longer than the largest.</summary>
    /// <param name="rows">Its rows, at least 1.</param>
    /// <returns>0 as long as nothing is known.</returns>
    internal double Expect(int rows)
    {
        (double Rows, double Seconds) fewer = default, more = default, further = default;
        foreach ((double Rows, double Seconds, long Step, int Count) one in _seen)
        {
            if (!IsFresh(one))
            {
                continue;
            }

            if (one.Rows <= rows)
            {
                fewer = (one.Rows, one.Seconds);
            }
            else if (more.Rows == 0)
            {
                more = (one.Rows, one.Seconds);
            }
            else
            {
                further = (one.Rows, one.Seconds);
                break;
            }
        }

        if (more.Rows == 0)
        {
            return fewer.Seconds;
        }

        if (fewer.Rows > 0)
        {
            return fewer.Seconds + (Math.Max(0, more.Seconds - fewer.Seconds) * (rows - fewer.Rows) / (more.Rows - fewer.Rows));
        }

        // Fewer than any step had: on the line through the two smallest.
        double slope = further.Rows == 0 ? 0 : Math.Max(0, (further.Seconds - more.Seconds) / (further.Rows - more.Rows));
        return Math.Max(more.Seconds / 4, more.Seconds - (slope * (more.Rows - rows)));
    }

    bool IsFresh((double Rows, double Seconds, long Step, int Count) seen) => seen.Rows > 0 && _step - seen.Step <= (seen.Count > 1 ? Memory : MemoryOfOne);

    // 1, 2, 3, 4, then four classes for each doubling.
    static int ClassOf(int rows)
    {
        int doubling = BitOperations.Log2((uint)rows);
        return doubling < 2 ? rows : (4 * (doubling - 1)) + ((rows >> (doubling - 2)) & 3);
    }
}
