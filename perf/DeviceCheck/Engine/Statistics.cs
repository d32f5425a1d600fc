using System.Diagnostics;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>What times of tokens tell.</summary>
internal static class Statistics
{
    internal static double Median(IEnumerable<double> values) => Percentile([.. values.Order()], 50);

    /// <param name="sorted">Ascending.</param>
    /// <param name="percent">0 … 99.</param>
    internal static double Percentile(double[] sorted, int percent) => sorted.Length == 0 ? double.NaN : sorted[sorted.Length * percent / 100];

    /// <summary>Tokens per second of all sequences together while all of them make some; NaN where the first ended before the last began.</summary>
    /// <param name="times">When each token of each sequence came.</param>
    internal static double Rate(long[][] times)
    {
        (long from, long to) = Common(times);
        return to <= from ? double.NaN : times.Sum(one => one.Count(time => time > from && time <= to)) / Stopwatch.GetElapsedTime(from, to).TotalSeconds;
    }

    /// <summary>Times between two tokens of a sequence, ms, while all of them make some.</summary>
    internal static double[] Gaps(long[][] times)
    {
        (long from, long to) = Common(times);
        return [.. times.SelectMany(one => one.Zip(one.Skip(1)).Where(pair => pair.First >= from && pair.Second <= to)
            .Select(pair => Stopwatch.GetElapsedTime(pair.First, pair.Second).TotalMilliseconds))];
    }

    static (long From, long To) Common(long[][] times) => (times.Max(one => one[0]), times.Min(one => one[^1]));
}
