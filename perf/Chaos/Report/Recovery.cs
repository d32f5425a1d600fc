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
internal sealed record Recovery(string Kind, int Faults, Distribution There, Distribution Others, IReadOnlyList<Pause> Longest)
{
    const int LongestCount = 5;

    // A pause that begins later is another fault's.
    static readonly TimeSpan Attributed = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Stalled = TimeSpan.FromSeconds(1);

    /// <summary>Of each kind.</summary>
    internal static IReadOnlyList<Recovery> Of(IEnumerable<Fault> faults) => [.. faults.GroupBy(fault => fault.Kind).OrderBy(group => group.Key).Select(group => Of(group.Key, [.. group]))];

    static Recovery Of(FaultKind kind, Fault[] faults)
    {
        Pause[] there = [.. faults.SelectMany(fault => fault.There.Select(track => Pause.Of(fault, track, After(fault.At, track))))];
        Pause[] others = [.. faults.SelectMany(fault => fault.Others.Select(track => Pause.Of(fault, track, After(fault.At, track)))).Where(pause => pause.Seconds >= Stalled.TotalSeconds)];
        return new Recovery(
            $"{kind}", faults.Length, Seconds(there), Seconds(others), [.. there.Concat(others).OrderByDescending(pause => pause.Seconds).Take(LongestCount)]);
    }

    static Distribution Seconds(Pause[] pauses) => Distribution.Of(pauses.Select(pause => pause.Seconds));

    /// <summary>Seconds from a fault to the end of the longest pause that it can have caused: tokens that were on their way when it happened are no recovery.</summary>
    static double After(long at, Track track)
    {
        long[] arrivals = track.Arrivals();
        int next = Array.FindIndex(arrivals, arrival => arrival > at);
        if (next < 0)
        {
            return double.PositiveInfinity;
        }

        long last = at + (long)(Attributed.TotalSeconds * Stopwatch.Frequency);
        (long longest, long end) = (0, at);
        for (long begin = at; next < arrivals.Length && begin <= last; begin = arrivals[next++])
        {
            if (arrivals[next] - begin > longest)
            {
                (longest, end) = (arrivals[next] - begin, arrivals[next]);
            }
        }

        return Stopwatch.GetElapsedTime(at, end).TotalSeconds;
    }
}
