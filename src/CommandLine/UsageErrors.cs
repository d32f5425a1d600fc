using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace IgptCluster.CommandLine;

/// <summary>What is wrong with a command line, in words: the rule, what was given, and the nearest that is known.</summary>
static partial class UsageErrors
{
    /// <summary>All mistakes, in the order of the command line; none where it can run.</summary>
    internal static IEnumerable<string> Of(ParseResult parsed)
    {
        bool isAfterUnknownOption = false;
        foreach (string token in parsed.UnmatchedTokens)
        {
            // What follows an unknown option was meant for it.
            bool isOption = IsOption(token);
            if (isOption || !isAfterUnknownOption)
            {
                yield return Unknown(token, parsed);
            }

            isAfterUnknownOption = isOption;
        }

        foreach (ParseError error in parsed.Errors)
        {
            // The library tells of what it does not know without the nearest name, and misses a command where one is mistyped.
            bool isUnknown = parsed.UnmatchedTokens.Count > 0 && error.SymbolResult is CommandResult or null;
            if (!isUnknown)
            {
                yield return Required().Replace(error.Message.TrimEnd('.'), "${name} is required");
            }
        }
    }

    [GeneratedRegex("^Option '(?<name>[^']*)' is required$")]
    private static partial Regex Required();

    static bool IsOption(string token) => token.StartsWith('-') && token.Length > 1;

    static string Unknown(string token, ParseResult parsed)
    {
        if (IsOption(token))
        {
            string[] options = [.. Commands(parsed.CommandResult).SelectMany((command, depth) => command.Options.Where(option => depth == 0 || option.Recursive)).SelectMany(option => option.Aliases.Append(option.Name))];
            return Nearest($"there is no option '{Short(token)}'", token.Split('=')[0], options);
        }

        Command here = parsed.CommandResult.Command;
        return here.Subcommands.Count > 0
            ? Nearest($"there is no command '{Short(token)}'", token, here.Subcommands.Select(command => command.Name))
            : $"'{Short(token)}' is one argument too many";
    }

    static string Nearest(string message, string given, IEnumerable<string> known) => NearestName.Of(given, known) is { } nearest ? $"{message}; the nearest is {nearest}" : message;

    static string Short(string token) => token.Length > 100 ? $"{token[..100]}…" : token;

    /// <summary>The command and those above it.</summary>
    static IEnumerable<Command> Commands(CommandResult result)
    {
        for (SymbolResult? at = result; at is not null; at = at.Parent)
        {
            if (at is CommandResult command)
            {
                yield return command.Command;
            }
        }
    }
}
