using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using IgptCluster.Training.Data;

namespace IgptCluster.Training.Commands;

/// <summary>What all commands share: work that can be interrupted, folders to write, JSON.</summary>
internal static class CommandRun
{
    /// <summary>JSON that people read.</summary>
    internal static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Runs a command's work off the main thread, so that Ctrl-C can ask it to stop.</summary>
    /// <param name="command">The command.</param>
    /// <param name="work">Does it; returns the exit code.</param>
    internal static void Does(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.DoesAsync((parsed, cancellationToken) => Task.FromResult(work(parsed, cancellationToken)));

    /// <summary>The same of work that waits.</summary>
    /// <param name="command">The command.</param>
    /// <param name="work">Does it; returns the exit code.</param>
    internal static void DoesAsync(this Command command, Func<ParseResult, CancellationToken, Task<int>> work) =>
        command.SetAction((parsed, cancellationToken) => Task.Run(() => work(parsed, cancellationToken), CancellationToken.None));

    /// <summary>Refuses to write into a folder that holds something.</summary>
    /// <exception cref="DataException">It is not empty.</exception>
    internal static void RequireEmpty(DirectoryInfo folder, bool force)
    {
        if (!force && folder.Exists && folder.EnumerateFileSystemInfos().Any())
            throw new DataException($"{folder.FullName}: the folder to write must be empty; name another or add --force");
    }
}
