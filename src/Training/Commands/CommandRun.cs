using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using IgptCluster.Imaging;
using IgptCluster.Model;
using IgptCluster.Training.Data;

namespace IgptCluster.Training.Commands;

/// <summary>What all commands share: options with rules, progress, errors and interruption told in one line, exit codes.</summary>
internal static class CommandRun
{
    /// <summary>The exit code of a command that was interrupted, as shells have it: 128 + SIGINT.</summary>
    internal const int Interrupted = 130;

    /// <summary>JSON that people read.</summary>
    internal static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>A whole number within limits.</summary>
    internal static Option<int> Whole(string name, string description, int otherwise, int least, int most)
    {
        var option = new Option<int>(name) { Description = $"{description} Default {otherwise}.", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetValueOrDefault<int>() is var value && (value < least || value > most))
                result.AddError($"{name} must be a whole number from {least} to {most}; given {string.Join(" ", result.Tokens)}");
        });
        return option;
    }

    /// <summary>A number within limits.</summary>
    internal static Option<double> Number(string name, string description, double otherwise, double least, double most)
    {
        var option = new Option<double>(name) { Description = $"{description} Default {otherwise}.", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetValueOrDefault<double>() is var value && !(value >= least && value <= most))
                result.AddError($"{name} must be a number from {least} to {most}; given {string.Join(" ", result.Tokens)}");
        });
        return option;
    }

    /// <summary>One of some words.</summary>
    internal static Option<string> OneOf(string name, string description, string otherwise, params string[] values)
    {
        var option = new Option<string>(name) { Description = $"{description} Default {otherwise}.", DefaultValueFactory = _ => otherwise };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    /// <summary>Runs a command's work off the main thread, so that Ctrl-C can ask it to stop.</summary>
    /// <param name="command">The command.</param>
    /// <param name="work">Does it; returns the exit code.</param>
    internal static void Does(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.SetAction((parsed, cancellationToken) => Task.Run(() => Guard(command.Name, () => work(parsed, cancellationToken)), CancellationToken.None));

    static int Guard(string name, Func<int> work)
    {
        try
        {
            return work();
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine($"igpt-train {name}: interrupted");
            return Interrupted;
        }
        catch (Exception failure) when (failure is DataException or CheckpointException or ImagingException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"igpt-train {name}: {failure.Message}");
            return 1;
        }
    }

    /// <summary>Refuses to write into a folder that holds something.</summary>
    /// <exception cref="DataException">It is not empty.</exception>
    internal static void RequireEmpty(DirectoryInfo folder, bool force)
    {
        if (!force && folder.Exists && folder.EnumerateFileSystemInfos().Any())
            throw new DataException($"{folder.FullName}: the folder to write must be empty; name another or add --force");
    }
}
