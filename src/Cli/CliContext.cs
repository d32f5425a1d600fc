using Google.Protobuf;
using Grpc.Net.Client;
using Spectre.Console;

namespace IgptCluster.Cli;

/// <summary>What a command works with: the server, its outputs, and how to write to them.</summary>
internal sealed class CliContext(GrpcChannel channel, DateTime? deadline, bool isJson, bool isQuiet, (TextWriter Out, TextWriter Error) writers, CancellationToken cancellationToken)
{
    static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithFormatDefaultValues(true));

    internal GrpcChannel Channel { get; } = channel;

    /// <summary>When calls give up; null = never.</summary>
    internal DateTime? Deadline { get; } = deadline;

    internal CancellationToken CancellationToken { get; } = cancellationToken;

    internal bool IsJson { get; } = isJson;

    internal bool IsQuiet { get; } = isQuiet;

    /// <summary>Progress goes here, so that results can be piped.</summary>
    internal IAnsiConsole ErrorConsole { get; } = Console(writers.Error);

    internal void WriteLine(string line) => writers.Out.WriteLine(line);

    /// <summary>One JSON document on one line.</summary>
    internal void WriteJson(IMessage message) => writers.Out.WriteLine(Json.Format(message));

    internal void Write(Table table) => Console(writers.Out).Write(table.Border(TableBorder.Simple));

    static IAnsiConsole Console(TextWriter writer)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (!console.Profile.Out.IsTerminal)
        {
            // Pipes have no width: a table is not to be cut to the default of 80.
            console.Profile.Width = 200;
        }

        return console;
    }
}
