using System.CommandLine;

namespace IgptCluster.CommandLine;

/// <summary>
/// Runs a program's command line. All programs share it, so that all of them have <c>--help</c> and <c>--version</c>, refuse what they do not know with the nearest known name, tell
/// errors in lines that begin with the program's name, and end with the same exit codes.
/// </summary>
/// <param name="name">The program's name in its messages: <c>igpt silo</c>.</param>
/// <param name="root">The commands and options.</param>
public sealed class CommandProgram(string name, RootCommand root)
{
    /// <summary>The exit code of what was done.</summary>
    public const int Done = 0;

    /// <summary>The exit code of what failed.</summary>
    public const int Failed = 1;

    /// <summary>The exit code of wrong usage: an option, argument or setting that is unknown or breaks its rule.</summary>
    public const int WrongUsage = 2;

    /// <summary>The exit code of what was interrupted, as shells have it: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    /// <summary>Where results, help and the version go. Default: standard output.</summary>
    public TextWriter Output { get; init; } = Console.Out;

    /// <summary>Where errors go. Default: standard error.</summary>
    public TextWriter Error { get; init; } = Console.Error;

    /// <summary>How long a command may go on after a signal has told it to stop; null: the command handles signals itself. Default 2 s.</summary>
    public TimeSpan? Grace { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Explains failures beside those that all programs know: exit code and message; null for what is a bug. Default: none.</summary>
    public Func<Exception, ParseResult, (int Code, string Message)?> Explain { get; init; } = (_, _) => null;

    /// <summary>What is written of an error, by exit code and message; null: each line of the message after the program's name. Default: always so.</summary>
    public Func<ParseResult, int, string, string?> Describe { get; init; } = (_, _, _) => null;

    /// <summary>Parses the command line and runs what it asks for.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="cancellationToken">As Ctrl+C.</param>
    /// <returns>The process's exit code.</returns>
    public async Task<int> RunAsync(string[] args, CancellationToken cancellationToken = default)
    {
        VersionOption version = root.Options.OfType<VersionOption>().Single();
        version.Action = new VersionAction(name);

        // A file named on the command line as @FILE is nobody's command line.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        string[] mistakes = [.. UsageErrors.Of(parsed)];
        if (mistakes.Length > 0)
        {
            return await TellAsync(parsed, WrongUsage, string.Join('\n', [.. mistakes, "add --help for what can be given"]));
        }

        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Grace, Output = Output, Error = Error }, cancellationToken);
        }
        catch (Exception failure) when ((Explain(failure, parsed) ?? Known(failure)) is { } known)
        {
            return await TellAsync(parsed, known.Code, known.Message);
        }
        catch (Exception failure)
        {
            await Error.WriteLineAsync($"{name}: a bug: {failure}");
            return await TellAsync(parsed, Failed, $"failed by a bug, {failure.GetType().Name}: please report the lines above");
        }
    }

    /// <summary>Refuses a command line before it is parsed.</summary>
    /// <param name="message">The rule, what was given, and the cure.</param>
    /// <returns>The process's exit code.</returns>
    public Task<int> RefuseAsync(string message) => TellAsync(root.Parse([]), WrongUsage, message);

    static (int Code, string Message)? Known(Exception failure) => failure switch
    {
        UsageException => (WrongUsage, failure.Message),
        OperationCanceledException => (Interrupted, "interrupted"),
        IOException or UnauthorizedAccessException => (Failed, failure.Message),
        _ => null,
    };

    async Task<int> TellAsync(ParseResult parsed, int code, string message)
    {
        await Error.WriteLineAsync(Describe(parsed, code, message) ?? string.Join('\n', message.Split('\n').Select(line => $"{name}: {PrintableText.Escape(line)}")));
        return code;
    }
}
