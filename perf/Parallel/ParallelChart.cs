using ScottPlot;

namespace IgptCluster.Parallel;

/// <summary>Speed-up by the number of sequences, as a picture.</summary>
internal static class ParallelChart
{
    const string Font = "DejaVu Sans";
    const int Width = 800;
    const int Height = 480;

    internal static void Draw(string file, ParallelReport report)
    {
        // The library takes fonts from files only, and the machine need not have any.
        Fonts.AddFontFile(Font, Path.Combine(AppContext.BaseDirectory, "DejaVuSans.ttf"));
        Fonts.Default = Font;
        using var plot = new Plot();
        plot.Title($"Exact parallel decoding: {Path.GetFileName(report.Model)}, {report.DType}");
        plot.XLabel("sequences at once");
        plot.YLabel("times the speed of decoding without guesses");
        plot.Axes.Title.Label.Bold = plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        foreach (IGrouping<double, SpeedResult> series in report.Speed.GroupBy(result => result.Temperature))
        {
            ScottPlot.Plottables.Scatter line = plot.Add.Scatter(series.Select(result => Math.Log2(result.Sequences)).ToArray(), series.Select(result => result.SpeedUp).ToArray());
            (line.LineWidth, line.MarkerSize, line.LegendText) = (2, 8, $"temperature {series.Key}");
        }

        plot.Add.HorizontalLine(1, 1, Colors.Gray, LinePattern.Dashed);
        plot.Axes.SetLimitsY(0, Math.Max(1.5, report.Speed.Max(result => result.SpeedUp) * 1.1));
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            [.. report.Speed.Select(result => Math.Log2(result.Sequences)).Distinct()], [.. report.Speed.Select(result => $"{result.Sequences}").Distinct()]);
        plot.ShowLegend(Edge.Right);
        plot.SavePng(file, Width, Height);
    }
}
