using Spectre.Console;

namespace IgptCluster.Chaos.Report;

/// <summary>Prints a report.</summary>
internal static class ChaosTables
{
    internal static void Print(ChaosReport report)
    {
        AnsiConsole.WriteLine();
        AnsiConsole.WriteLine(
            $"{report.Seconds:0} s, load {string.Join(" → ", report.Load)}: {report.Finished} sessions ended, {report.Tokens} tokens ({report.Tokens / report.Seconds:0}/s), {report.Watched} further viewers; "
            + $"{report.Resumed} sessions went on elsewhere, {report.Resumptions} times; {report.Unary} scores and classifications, the longest {report.LongestUnary:0.0} s; {report.Retries} waits in clients");
        var table = new Table { Title = new TableTitle("Streams stood still, s: p50 / p99 / max (count)"), Width = 120 };
        table.AddColumns("", "times", "generated there, or through it", "others, 1 s or more");
        foreach (Recovery recovery in report.Recoveries)
        {
            table.AddRow(recovery.Kind, $"{recovery.Faults}", $"{recovery.There}", $"{recovery.Others}");
        }

        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"declared dead after freezing, s: {report.Declared}; wrongly declared dead: {report.WrongDeaths}");
        foreach (Recovery recovery in report.Recoveries)
        {
            AnsiConsole.WriteLine($"{recovery.Kind}, one by one: {string.Join("; ", recovery.Each)}");
            AnsiConsole.WriteLine($"{recovery.Kind}, the longest: {string.Join("; ", recovery.Longest)}");
        }

        AnsiConsole.WriteLine($"kept sessions that were there in the end, and right: {report.Kept}");
        foreach (string line in report.Copies.Concat(report.Refusals).Concat(report.LeftOut))
        {
            AnsiConsole.WriteLine(line);
        }

        AnsiConsole.WriteLine(report.Violations.Count == 0 ? "Nothing was lost, repeated, changed or failed." : $"{report.Violations.Count} violations:");
        foreach (string violation in report.Violations.Take(50))
        {
            AnsiConsole.WriteLine(violation);
        }
    }
}
