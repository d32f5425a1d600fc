using IgptCluster.DeviceCheck.Engine;
using ScottPlot;

namespace IgptCluster.Load;

/// <summary>The machine's limits as a roof, and what was measured under it, as a picture.</summary>
internal static class Roofline
{
    const string Font = "DejaVu Sans";
    const int Width = 1000;
    const int Height = 640;

    internal static void Draw(string file, string title, MachineLimits limits, IReadOnlyList<(string Series, RooflinePoint Point)> points)
    {
        // The library takes fonts from files only, and the machine need not have any.
        Fonts.AddFontFile(Font, Path.Combine(AppContext.BaseDirectory, "DejaVuSans.ttf"));
        Fonts.Default = Font;
        using var plot = new Plot();
        plot.Title(title);
        plot.XLabel("FLOP per byte that must be read");
        plot.YLabel("GFLOP/s");
        plot.Axes.Title.Label.Bold = plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        double ridge = limits.FlopsPerSecond / limits.BytesPerSecond;
        (double least, double most) = (points.Min(point => point.Point.Intensity) / 2, Math.Max(points.Max(point => point.Point.Intensity), ridge) * 2);
        ScottPlot.Plottables.Scatter roof = plot.Add.Scatter(
            new[] { least, ridge, most }.Select(Math.Log10).ToArray(),
            new[] { least * limits.BytesPerSecond, limits.FlopsPerSecond, limits.FlopsPerSecond }.Select(Giga).ToArray());
        (roof.LineWidth, roof.MarkerSize, roof.Color) = (2, 0, Colors.Black);
        roof.LegendText = $"{limits.BytesPerSecond / 1e9:0} GB/s, {limits.FlopsPerSecond / 1e9:0} GFLOP/s";
        foreach (IGrouping<string, RooflinePoint> series in points.GroupBy(point => point.Series, point => point.Point))
        {
            ScottPlot.Plottables.Scatter marks = plot.Add.Scatter(series.Select(point => Math.Log10(point.Intensity)).ToArray(), series.Select(point => Giga(point.FlopsPerSecond)).ToArray());
            (marks.LineWidth, marks.MarkerSize, marks.LegendText) = (0, 9, series.Key);
            foreach (RooflinePoint point in series)
            {
                ScottPlot.Plottables.Text name = plot.Add.Text(point.Name, Math.Log10(point.Intensity), Giga(point.FlopsPerSecond));
                (name.LabelFontSize, name.OffsetX, name.OffsetY) = (10, 6, 2);
            }
        }

        plot.Axes.SetLimitsY(Math.Floor(points.Min(point => Giga(point.Point.FlopsPerSecond))), Math.Ceiling(Giga(limits.FlopsPerSecond)));
        plot.Axes.Bottom.TickGenerator = Ticks();
        plot.Axes.Left.TickGenerator = Ticks();
        plot.ShowLegend(Edge.Bottom);
        plot.SavePng(file, Width, Height);
    }

    static double Giga(double flops) => Math.Log10(flops / 1e9);

    static ScottPlot.TickGenerators.NumericAutomatic Ticks() => new()
    {
        MinorTickGenerator = new ScottPlot.TickGenerators.LogMinorTickGenerator(),
        IntegerTicksOnly = true,
        LabelFormatter = exponent => $"{Math.Pow(10, exponent):0.##}",
    };
}
