using IgptCluster.CommandLine;
using Spectre.Console;

namespace IgptCluster.Cli;

/// <summary>Cells of tables. What does not print is escaped, for a server's answers may come from anybody.</summary>
internal static class Cell
{
    /// <summary>A cell of one line.</summary>
    internal static Text Of(string line) => Of([line]);

    /// <summary>A cell of several lines.</summary>
    internal static Text Of(IEnumerable<string> lines) => new(string.Join('\n', lines.Select(PrintableText.Escape)));
}
