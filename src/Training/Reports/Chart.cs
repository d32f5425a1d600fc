using ScottPlot;

namespace IgptCluster.Training.Reports;

/// <summary>A line chart with a font of its own: the machine need not have any. One thread at a time.</summary>
internal sealed class Chart : IDisposable
{
    const string Font = "DejaVu Sans";
    const int Width = 900;
    const int Height = 540;

    static readonly Lock Preparing = new();
    static bool _isPrepared;

    readonly Plot _plot;

    /// <summary>An empty chart.</summary>
    /// <param name="title">Title.</param>
    /// <param name="x">What the horizontal axis tells, with its unit.</param>
    /// <param name="y">What the vertical axis tells, with its unit.</param>
    internal Chart(string title, string x, string y)
    {
        Prepare();
        _plot = new Plot();
        _plot.Title(title);
        _plot.XLabel(x);
        _plot.YLabel(y);

        // The font has no bold face.
        _plot.Axes.Title.Label.Bold = _plot.Axes.Bottom.Label.Bold = _plot.Axes.Left.Label.Bold = false;
    }

    /// <summary>Adds a line.</summary>
    /// <param name="name">Its name in the legend; empty for none.</param>
    /// <param name="points">Its points; none draws nothing.</param>
    /// <param name="markers">Marks the points.</param>
    /// <param name="faint">Draws it as a background.</param>
    internal void AddLine(string name, IReadOnlyList<(double X, double Y)> points, bool markers = false, bool faint = false)
    {
        if (points.Count == 0)
            return;
        ScottPlot.Plottables.Scatter line = _plot.Add.Scatter(points.Select(point => point.X).ToArray(), points.Select(point => point.Y).ToArray());
        line.LegendText = name;
        line.LineWidth = faint ? 1 : 2;
        line.MarkerSize = markers ? 7 : 0;
        line.Color = faint ? Colors.LightGray : line.Color;
    }

    /// <summary>Sets the ends of the vertical axis.</summary>
    internal void SetRange(double low, double high) => _plot.Axes.SetLimitsY(low, high);

    /// <summary>Draws the chart.</summary>
    /// <returns>A PNG file.</returns>
    internal byte[] Draw()
    {
        if (_plot.GetPlottables().OfType<ScottPlot.Plottables.Scatter>().Any(line => line.LegendText.Length > 0))
            _plot.ShowLegend(Edge.Bottom);
        return _plot.GetImageBytes(Width, Height, ImageFormat.Png);
    }

    /// <inheritdoc/>
    public void Dispose() => _plot.Dispose();

    /// <summary>Brings the font; needed before any plot is made.</summary>
    internal static void Prepare()
    {
        lock (Preparing)
        {
            if (_isPrepared)
                return;

            // The library takes fonts from files only.
            string file = Path.Combine(AppContext.BaseDirectory, "DejaVuSans.ttf");
            Fonts.AddFontFile(Font, file);
            Fonts.Default = Font;
            _isPrepared = true;
        }
    }
}
