namespace IgptCluster.Chaos.Report;

/// <summary>How some values lie.</summary>
internal sealed record Distribution(int Count, double P50, double P99, double Max)
{
    internal static Distribution Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Distribution(sorted.Length, At(sorted, 0.5), At(sorted, 0.99), At(sorted, 1));
    }

    // The smallest value that so many are not above.
    static double At(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];

    public override string ToString() => Count == 0 ? "–" : $"{P50:0.00} / {P99:0.00} / {Max:0.00} ({Count})";
}
