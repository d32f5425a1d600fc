using System.CommandLine;
using IgptCluster.Cli.Commands;
using IgptCluster.Client;

namespace IgptCluster.Cli;

/// <summary>The command line <c>igpt</c>: a client of any gateways.</summary>
internal sealed class CliApplication
{
    readonly Option<double?> _timeout = new("--timeout") { Description = "Seconds after which calls give up; default never.", Recursive = true };
    readonly Option<bool> _json = new("--json") { Description = "Writes JSON for scripts: one document, or one per event of a stream.", Recursive = true };
    readonly Option<bool> _quiet = new("--quiet") { Description = "No progress.", Recursive = true };
    readonly GatewayChoice _gateways = new();
    readonly (TextWriter Out, TextWriter Error) _writers;

    CliApplication(TextWriter output, TextWriter error) => _writers = (output, error);

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

    async Task<int> InvokeAsync(string[] args, CancellationToken cancellationToken)
    {
        var root = new RootCommand("Classifies, embeds, scores, completes and generates images with an IgptCluster.") { _timeout, _json, _quiet };
        _gateways.AddTo(root);
        foreach (Command command in (Command[])[
            .. EvaluationCommands.Create(this), .. GenerationCommands.Create(this), SessionCommands.Create(this), ModelCommands.Create(this), ClusterCommands.Create(this)])
        {
            root.Add(command);
        }

        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (System.CommandLine.Parsing.ParseError problem in parsed.Errors)
            {
                await _writers.Error.WriteLineAsync($"igpt: {problem.Message}");
            }

            await _writers.Error.WriteLineAsync("igpt: add --help for what can be given");
            return ExitCode.BadInput;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = _writers.Out, Error = _writers.Error }, cancellationToken);
        }
        catch (Exception failure)
        {
            (int code, string message) = Failure.Explain(failure, _gateways.Name(parsed));
            await _writers.Error.WriteLineAsync($"igpt: {message}");
            return code;
        }
    }
}
