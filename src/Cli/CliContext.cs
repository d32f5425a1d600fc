using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using IgptCluster.Client;
using IgptCluster.CommandLine;
using Spectre.Console;

namespace IgptCluster.Cli;

/// <summary>What a command works with: the server, its outputs, and how to write to them.</summary>
internal sealed class CliContext(IgptClient client, DateTime? deadline, bool isJson, bool isQuiet, (TextWriter Out, TextWriter Error) writers, CancellationToken cancellationToken)
{
    static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithFormatDefaultValues(true));

    // A session's id and what is told of it.
    const int LeastWidth = 120;

    string _told = "";

    /// <summary>Streams that survive lost gateways.</summary>
    internal IgptClient Client { get; } = client;

    /// <summary>What generated clients call through.</summary>
    internal CallInvoker Invoker => Client.Invoker;

    /// <summary>When calls give up; null = never.</summary>
    internal DateTime? Deadline { get; } = deadline;

    internal CancellationToken CancellationToken { get; } = cancellationToken;

    internal bool IsJson { get; } = isJson;

    internal bool IsQuiet { get; } = isQuiet;

    /// <summary>Progress goes here, so that results can be piped.</summary>
    internal IAnsiConsole ErrorConsole { get; } = Console(writers.Error);

    /// <summary>Tells that a call goes on elsewhere or later.</summary>
    internal void Tell(RetryNotice notice)
    {
        if (IsQuiet)
        {
            return;
        }

        string what = notice.Failure.GetRpcStatus() is null ? "does not answer" : $"says: {notice.Failure.Status.Detail}";
        string where = notice.Next == notice.Failed ? "" : $" at {notice.Next}";
        string told = $"igpt: the gateway {notice.Failed} {what}; going on{where}";
        if (told != _told)
        {
            // The same again and again says no more.
            _told = told;
            ErrorConsole.WriteLine(PrintableText.Escape(string.Create(CultureInfo.InvariantCulture, $"{told} in {notice.Delay.TotalSeconds:0.0} s")));
        }
    }

    /// <summary>One line; what does not print is escaped, for a server's answers may come from anybody.</summary>
    internal void WriteLine(string line) => writers.Out.WriteLine(PrintableText.Escape(line));

    /// <summary>A text of several lines.</summary>
    internal void WriteText(string text)
    {
        foreach (string line in text.TrimEnd().ReplaceLineEndings("\n").Split('\n'))
        {
            WriteLine(line.Replace("\t", "    ", StringComparison.Ordinal));
        }
    }

    /// <summary>A file's content on the process's standard output.</summary>
    internal static void WriteBytes(byte[] content)
    {
        using Stream output = System.Console.OpenStandardOutput();
        output.Write(content);
    }

    /// <summary>One JSON document on one line.</summary>
    internal void WriteJson(IMessage message) => writers.Out.WriteLine(Json.Format(message));

    /// <summary>What was done, where the server has nothing to say but that.</summary>
    internal void WriteDone(Google.Protobuf.WellKnownTypes.Empty answer, string done)
    {
        if (IsJson)
        {
            WriteJson(answer);
        }
        else
        {
            WriteLine(done);
        }
    }

    /// <summary>A table. What identifies a row comes first and is never wrapped: it is there to be copied.</summary>
    internal void Write(Table table)
    {
        table.Columns[0].NoWrap();
        IAnsiConsole console = Console(writers.Out);
        console.Profile.Width = Math.Max(console.Profile.Width, LeastWidth);
        console.Write(table.Border(TableBorder.Simple));
    }

    /// <summary>Begins at the top again, where the output is a terminal.</summary>
    internal void Clear()
    {
        IAnsiConsole console = Console(writers.Out);
        if (console.Profile.Out.IsTerminal)
        {
            console.Clear();
        }
    }

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
