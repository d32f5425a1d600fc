namespace IgptCluster.Simulation.Load;

/// <summary>Counts durations in buckets a fiftieth apart, 1 µs to minutes; any thread adds.</summary>
internal sealed class Histogram
{
    const double Growth = 1.02;
    const int Buckets = 1000; // up to 398 s

    static readonly double LogGrowth = Math.Log(Growth);

    readonly long[] _counts = new long[Buckets];

    internal long Count => _counts.Sum();

    internal static Histogram Sum(IEnumerable<Histogram> parts)
    {
        var all = new Histogram();
        foreach (Histogram part in parts)
        {
            for (int bucket = 0; bucket < Buckets; bucket++)
            {
                all._counts[bucket] += part._counts[bucket];
            }
        }

        return all;
    }

    internal void Add(TimeSpan duration) =>
        Interlocked.Increment(ref _counts[Math.Clamp((int)(Math.Log(Math.Max(1, duration.TotalMicroseconds)) / LogGrowth), 0, Buckets - 1)]);

    /// <summary>A percentile in milliseconds; not a number where nothing was counted.</summary>
    /// <param name="percent">0 … 100.</param>
    internal double Percentile(double percent)
    {
        double wanted = Count * percent / 100;
        double below = 0;
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            below += _counts[bucket];
            if (below > 0 && below >= wanted)
            {
                return Math.Pow(Growth, bucket + 0.5) / 1000;
            }
        }

        return double.NaN;
    }
}
