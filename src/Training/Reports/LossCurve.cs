using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Reports;

/// <summary>The loss over the steps of a training.</summary>
internal static class LossCurve
{
    /// <summary>Draws a log: each step's loss, its mean over the neighbouring twentieth of the training, and held-out images.</summary>
    /// <param name="entries">The log.</param>
    /// <returns>A PNG file.</returns>
    internal static byte[] Draw(IReadOnlyList<LogEntry> entries)
    {
        LogEntry[] steps = [.. entries.Where(entry => entry.Loss is not null)];
        LogEntry[] looks = [.. entries.Where(entry => entry.HeldOutLoss is not null)];
        using var chart = new Chart("Training", "step", steps.Any(entry => entry.BitsPerDim is null) ? "loss" : "loss, nats per token");
        chart.AddLine("", [.. steps.Select(entry => ((double)entry.Step, entry.Loss!.Value))], faint: true);
        chart.AddLine("training", Smooth(steps));
        chart.AddLine(steps.Any(entry => entry.BitsPerDim is null) ? "held out, next pixel" : "held out", [.. looks.Select(entry => ((double)entry.Step, entry.HeldOutLoss!.Value))], markers: true);
        return chart.Draw();
    }

    static (double X, double Y)[] Smooth(LogEntry[] steps)
    {
        int reach = Math.Max(1, steps.Length / 40);
        return [.. steps.Select((entry, i) => ((double)entry.Step, steps.AsSpan(Math.Max(0, i - reach)..Math.Min(steps.Length, i + reach + 1)).ToArray().Average(near => near.Loss!.Value)))];
    }
}
