using ScottPlot;

namespace IgptCluster.Simulation.Reports;

/// <summary>What all pictures have in common.</summary>
internal static class Charts
{
    const string Font = "DejaVu Sans";
    const int Width = 1000;
    const int Height = 560;

    internal static Plot New(string title, string across, string up)
    {
        // The library takes fonts from files only, and the machine need not have any.
        Fonts.AddFontFile(Font, Path.Combine(AppContext.BaseDirectory, "DejaVuSans.ttf"));
        Fonts.Default = Font;
        var plot = new Plot();
        plot.Title(title);
        plot.XLabel(across);
        plot.YLabel(up);
        plot.Axes.Title.Label.Bold = plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        return plot;
    }

    internal static void Line(Plot plot, string name, IEnumerable<double> across, IEnumerable<double> up, bool marks = true)
    {
        ScottPlot.Plottables.Scatter line = plot.Add.Scatter(across.ToArray(), up.ToArray());
        (line.LegendText, line.LineWidth, line.MarkerSize) = (name, 2, marks ? 8 : 0);
    }

    /// <summary>Ticks of an axis that holds logarithms to the base of ten.</summary>
    internal static ScottPlot.TickGenerators.NumericAutomatic PowersOfTen() => new()
    {
        MinorTickGenerator = new ScottPlot.TickGenerators.LogMinorTickGenerator(),
        IntegerTicksOnly = true,
        LabelFormatter = exponent => $"{Math.Pow(10, exponent):N0}",
    };

    internal static void Save(Plot plot, string file)
    {
        plot.ShowLegend(Edge.Bottom);
        plot.SavePng(file, Width, Height);
        Console.WriteLine($"Wrote {file}");
    }
}
