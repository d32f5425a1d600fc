using IgptCluster.Training.Probing;

namespace IgptCluster.Training.Reports;

/// <summary>Accuracy of linear probes over the layers.</summary>
internal static class LayerChart
{
    /// <summary>Draws it.</summary>
    /// <param name="report">What was measured.</param>
    /// <returns>A PNG file.</returns>
    internal static byte[] Draw(ProbeReport report)
    {
        using var chart = new Chart($"Linear probes, {report.Classes.Count} classes", "layer (0 = embeddings)", "accuracy on test images, %");
        chart.AddLine("trained", Points(report.Layers), markers: true);
        chart.AddLine("random weights", Points(report.RandomWeights ?? []), markers: true);
        int last = report.Layers.Max(probe => probe.Layer);
        chart.AddLine("quantised pixels", [(0, 100 * report.Pixels), (last, 100 * report.Pixels)]);
        chart.SetRange(0, 102);
        return chart.Draw();
    }

    static (double X, double Y)[] Points(IEnumerable<LayerProbe> probes) => [.. probes.Select(probe => ((double)probe.Layer, 100 * probe.Test))];
}
