using System.CommandLine;
using Grpc.Net.Client;
using IgptCluster.Cli.Commands;

namespace IgptCluster.Cli;

/// <summary>The command line <c>igpt</c>: a client of any gateway.</summary>
internal sealed class CliApplication
{
    const string AddressVariable = "IGPT_ADDRESS";
    const string DefaultAddress = "http://127.0.0.1:5081";
    const int MaxMessageBytes = 256 << 20;

    readonly Option<string> _address = new("--address")
    {
        Description = $"The gateway; default {DefaultAddress}, or what {AddressVariable} says.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } address ? address : DefaultAddress,
        Recursive = true,
    };

    readonly Option<double?> _timeout = new("--timeout") { Description = "Seconds after which calls give up; default never.", Recursive = true };
    readonly Option<bool> _json = new("--json") { Description = "Writes JSON for scripts: one document, or one per event of a stream.", Recursive = true };
    readonly Option<bool> _quiet = new("--quiet") { Description = "No progress.", Recursive = true };
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
        using GrpcChannel channel = Connect(parsed.GetRequiredValue(_address));
        DateTime? deadline = parsed.GetValue(_timeout) is { } seconds ? DateTime.UtcNow.AddSeconds(seconds) : null;
        return await action(parsed, new CliContext(channel, deadline, parsed.GetValue(_json), parsed.GetValue(_quiet), _writers, cancellationToken));
    });

    async Task<int> InvokeAsync(string[] args, CancellationToken cancellationToken)
    {
        var root = new RootCommand("Classifies, embeds, scores, completes and generates images with an IgptCluster.") { _address, _timeout, _json, _quiet };
        foreach (Command command in (Command[])[.. EvaluationCommands.Create(this), .. GenerationCommands.Create(this), SessionCommands.Create(this), .. ClusterCommands.Create(this)])
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
            (int code, string message) = Failure.Explain(failure, parsed.GetValue(_address) ?? DefaultAddress);
            await _writers.Error.WriteLineAsync($"igpt: {message}");
            return code;
        }
    }

    static GrpcChannel Connect(string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new CliException(ExitCode.BadInput, $"--address must be a URL such as {DefaultAddress}; given '{address}'");
        }

        return GrpcChannel.ForAddress(uri, new GrpcChannelOptions { MaxReceiveMessageSize = MaxMessageBytes });
    }
}
