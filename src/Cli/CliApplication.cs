using System.CommandLine;
using IgptCluster.Cli.Commands;
using IgptCluster.Client;
using IgptCluster.CommandLine;

namespace IgptCluster.Cli;

/// <summary>The command line <c>igpt</c>: a client of any gateways.</summary>
internal sealed class CliApplication
{
    // A month: beyond it is a mistake, and calls' deadlines have an end.
    const double MostSeconds = 31 * 24 * 3600;

    readonly Option<double?> _timeout = NumberOption.CreateOptional("--timeout", "Seconds after which calls give up; default never.", 0, MostSeconds);

    readonly Option<bool> _json = new("--json") { Description = "Writes JSON for scripts: one document, or one per event of a stream.", Recursive = true };
    readonly Option<bool> _quiet = new("--quiet") { Description = "No progress.", Recursive = true };
    readonly GatewayChoice _gateways = new();
    readonly (TextWriter Out, TextWriter Error) _writers;

    CliApplication(TextWriter output, TextWriter error)
    {
        _writers = (output, error);
        _timeout.Recursive = true;
    }

    /// <summary>Runs one command.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Results.</param>
    /// <param name="error">Progress and errors.</param>
    /// <param name="cancellationToken">As Ctrl+C.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    internal static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken cancellationToken = default) =>
        new CliApplication(output, error).InvokeAsync(args, cancellationToken);

    /// <summary>Makes a command's action: connects, runs it, and explains failures.</summary>
    internal void SetAction(Command command, Func<ParseResult, CliContext, Task<int>> action) => command.SetAction(async (parsed, cancellationToken) =>
    {
        CliContext? context = null;
        using var client = new IgptClient(_gateways.Read(parsed, notice => context?.Tell(notice)));
        DateTime? deadline = parsed.GetValue(_timeout) is { } seconds ? DateTime.UtcNow.AddSeconds(seconds) : null;
        context = new CliContext(client, deadline, parsed.GetValue(_json), parsed.GetValue(_quiet), _writers, cancellationToken);
        return await action(parsed, context);
    });

    Task<int> InvokeAsync(string[] args, CancellationToken cancellationToken)
    {
        var root = new RootCommand("Classifies, embeds, scores, completes and generates images with an IgptCluster.") { _timeout, _json, _quiet };
        _gateways.AddTo(root);
        foreach (Command command in (Command[])[
            .. EvaluationCommands.Create(this), .. GenerationCommands.Create(this), SessionCommands.Create(this), ModelCommands.Create(this), ClusterCommands.Create(this)])
        {
            root.Add(command);
        }

        return new CommandProgram("igpt", root)
        {
            Output = _writers.Out,
            Error = _writers.Error,
            Describe = (parsed, code, message) => parsed.GetValue(_json) ? Failure.ToJson(code, message) : null,
            Explain = (failure, parsed) => Failure.Explain(failure, _gateways.Name(parsed)),
        }.RunAsync(args, cancellationToken);
    }
}
