using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Reports;

internal static class LossCurve
{
    internal static void Write(string path, IReadOnlyList<LogEntry> entries)
    {
        _ = path;
        _ = entries;
    }
}
