using ScottPlot;

namespace IgptCluster.Simulation.Reports;

/// <summary>Waiting by the load.</summary>
internal static class LoadChart
{
    internal static void Draw(string file, SimulationSettings settings, IReadOnlyList<LoadResult> results)
    {
        using Plot plot = Charts.New(
            $"{settings.Roofline.Model.Name}, {results[0].Silos} silos with {settings.Slots} KV slots each, open load", "asked for, % of what the devices can do", "ms");
        double[] shares = [.. results.Select(one => one.Share * 100)];
        Charts.Line(plot, "TTFT p50", shares, results.Select(one => Math.Log10(one.Phase.FirstToken.P50)));
        Charts.Line(plot, "TTFT p99", shares, results.Select(one => Math.Log10(one.Phase.FirstToken.P99)));
        Charts.Line(plot, "ITL p50", shares, results.Select(one => Math.Log10(one.Phase.Gap.P50)));
        Charts.Line(plot, "ITL p99", shares, results.Select(one => Math.Log10(one.Phase.Gap.P99)));
        plot.Axes.Left.TickGenerator = Charts.PowersOfTen();
        Charts.Save(plot, file);
    }
}
