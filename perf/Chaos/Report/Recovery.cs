using System.Diagnostics;
using IgptCluster.Chaos.Faults;
using IgptCluster.Chaos.Work;

namespace IgptCluster.Chaos.Report;

/// <summary>How long streams stood still after faults of one kind, s.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Faults">How many there were.</param>
/// <param name="There">Streams that were generated on the process it happened to, or came through it.</param>
/// <param name="Others">Other streams that stood still for a second or more: those whose session lived there, mostly.</param>
/// <param name="Longest">The longest pauses, to be looked up in the logs.</param>
/// <param name="Each">The streams generated there, or through it, of each fault alone, in their order.</param>
internal sealed record Recovery(string Kind, int Faults, Distribution There, Distribution Others, IReadOnlyList<Pause> Longest, IReadOnlyList<Distribution> Each)
{
    const int LongestCount = 5;

    // A pause that begins later is another fault's.
    static readonly TimeSpan Attributed = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Stalled = TimeSpan.FromSeconds(1);

    /// <summary>Of each kind.</summary>
    internal static IReadOnlyList<Recovery> Of(IEnumerable<Fault> faults) => [.. faults.GroupBy(fault => fault.Kind).OrderBy(group => group.Key).Select(group => Of(group.Key, [.. group]))];

    static Recovery Of(FaultKind kind, Fault[] faults)
    {
        Pause[] there = [.. faults.SelectMany(fault => fault.There.Select(track => Pause.Of(fault, track, LongestPause(fault.At, track))))];
        Pause[] others = [.. faults.SelectMany(fault => fault.Others.Select(track => Pause.Of(fault, track, LongestPause(fault.At, track)))).Where(pause => pause.Seconds >= Stalled.TotalSeconds)];
        return new Recovery(
            $"{kind}", faults.Length, Seconds(there), Seconds(others), [.. there.Concat(others).OrderByDescending(pause => pause.Seconds).Take(LongestCount)],
            [.. faults.Select(fault => Distribution.Of(fault.There.Select(track => LongestPause(fault.At, track))))]);
    }

    static Distribution Seconds(Pause[] pauses) => Distribution.Of(pauses.Select(pause => pause.Seconds));

    /// <summary>
    /// The longest time without a token that begins at the fault or within a moment after it, s: tokens that were on their way when it happened are no recovery. Its length, not the time from the
    /// fault to its end: the longest of the usual short gaps may end at any time.
    /// </summary>
    static double LongestPause(long at, Track track)
    {
        long[] arrivals = track.Arrivals();
        int next = Array.FindIndex(arrivals, arrival => arrival > at);
        if (next < 0)
        {
            return double.PositiveInfinity;
        }

        long last = at + (long)(Attributed.TotalSeconds * Stopwatch.Frequency);
        long longest = 0;
        for (long begin = at; next < arrivals.Length && begin <= last; begin = arrivals[next++])
        {
            longest = Math.Max(longest, arrivals[next] - begin);
        }

        return Stopwatch.GetElapsedTime(0, longest).TotalSeconds;
    }
}
