using IgptCluster.Training.Evaluation;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace IgptCluster.Training.Reports;

/// <summary>A confusion matrix as a picture: a row for each class, how many of its images were told to be of each column's.</summary>
internal static class ConfusionChart
{
    const int Cell = 48;
    const int Margin = 200;
    const int MostNumbers = 30; // classes; beyond, numbers would not fit their cells

    /// <summary>Draws it.</summary>
    /// <param name="evaluation">What was told.</param>
    /// <returns>A PNG file.</returns>
    internal static byte[] Draw(ClassifierEvaluation evaluation)
    {
        Chart.Prepare();
        int count = evaluation.Classes.Count;
        using var plot = new Plot();
        double[,] shares = new double[count, count];
        for (int actual = 0; actual < count; actual++)
        {
            double total = Math.Max(1, Enumerable.Range(0, count).Sum(told => evaluation.Count(actual, told)));
            for (int told = 0; told < count; told++)
            {
                shares[actual, told] = evaluation.Count(actual, told) / total;
                if (count <= MostNumbers && evaluation.Count(actual, told) > 0)
                    AddNumber(plot, evaluation.Count(actual, told), told, count - 1 - actual, shares[actual, told] > 0.5);
            }
        }

        ScottPlot.Plottables.Heatmap map = plot.Add.Heatmap(shares);
        map.Colormap = new ScottPlot.Colormaps.Blues().Reversed();
        plot.MoveToBack(map);
        Label(plot, evaluation);
        int size = Margin + (Math.Min(count, MostNumbers) * Cell);
        return plot.GetImageBytes(size, size, ImageFormat.Png);
    }

    static void AddNumber(Plot plot, int number, int x, int y, bool onDark)
    {
        ScottPlot.Plottables.Text text = plot.Add.Text($"{number}", x, y);
        text.LabelAlignment = Alignment.MiddleCenter;
        text.LabelFontColor = onDark ? Colors.White : Colors.Black;
    }

    static void Label(Plot plot, ClassifierEvaluation evaluation)
    {
        int count = evaluation.Classes.Count;
        plot.Title(FormattableString.Invariant($"{evaluation.Accuracy:P1} of {Enumerable.Range(0, count).Sum(a => Enumerable.Range(0, count).Sum(b => evaluation.Count(a, b))):N0} images"));
        plot.XLabel("told");
        plot.YLabel("is");
        plot.Axes.Title.Label.Bold = plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        double[] places = [.. Enumerable.Range(0, count).Select(i => (double)i)];
        plot.Axes.Bottom.TickGenerator = new NumericManual(places, [.. evaluation.Classes]);
        plot.Axes.Left.TickGenerator = new NumericManual(places, [.. evaluation.Classes.Reverse()]);
        plot.Axes.Bottom.TickLabelStyle.Rotation = -45;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleRight;
        plot.Axes.Bottom.MinimumSize = 90;
        plot.HideGrid();
    }
}
