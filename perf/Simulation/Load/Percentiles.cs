namespace IgptCluster.Simulation.Load;

/// <summary>Milliseconds of the simulation.</summary>
internal sealed record Percentiles(double P50, double P90, double P99)
{
    internal static Percentiles Of(Histogram histogram) => new(histogram.Percentile(50), histogram.Percentile(90), histogram.Percentile(99));
}
