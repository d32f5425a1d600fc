using ScottPlot;

namespace IgptCluster.Simulation.Reports;

/// <summary>Throughput by the number of silos.</summary>
internal static class ScalingChart
{
    internal static void Draw(string file, SimulationSettings settings, IReadOnlyList<ScalingResult> results)
    {
        using Plot plot = Charts.New(
            $"{settings.Roofline.Model.Name} on simulated devices ({settings.Roofline.Device.Name}), {settings.Slots} KV slots each", "silos with one device", "tokens per second");
        double[] silos = [.. results.Select(one => Math.Log10(one.Silos))];
        Charts.Line(plot, "measured", silos, results.Select(one => Math.Log10(one.Phase.TokensPerSecond)));
        Charts.Line(plot, "the first, times silos", silos, results.Select(one => Math.Log10(results[0].PerSilo * one.Silos)), marks: false);
        plot.Axes.Bottom.TickGenerator = Charts.PowersOfTen();
        plot.Axes.Left.TickGenerator = Charts.PowersOfTen();
        Charts.Save(plot, file);
    }
}
