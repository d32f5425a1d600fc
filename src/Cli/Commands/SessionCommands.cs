using System.CommandLine;
using IgptCluster.Cli.Generations;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt sessions</c>: what there is; <see cref="SessionChangeCommands"/> does something to it.</summary>
internal static class SessionCommands
{
    const int IdLength = 32;
    const int LeastPrefix = 4;

    internal static Command Create(CliApplication application)
    {
        var list = new Command("list", "All sessions that are still known.");
        application.SetAction(list, ListAsync);
        Argument<string> id = SessionArgument();
        var get = new Command("get", "One session.") { id };
        application.SetAction(get, async (parsed, context) => Show(context, await Client(context).GetAsync(
            new GetSessionRequest { SessionId = await ResolveAsync(parsed, id, context) }, deadline: context.Deadline, cancellationToken: context.CancellationToken)));
        var command = new Command("sessions", "Long-running generations.") { list, get, Attach(application) };
        foreach (Command change in SessionChangeCommands.Create(application))
        {
            command.Add(change);
        }

        application.SetAction(command, ListAsync);
        return command;
    }

    static Command Attach(CliApplication application)
    {
        Argument<string> id = SessionArgument();
        Option<uint?> from = NumberOption.CreateOptional<uint>("--from", "Raster position to begin at; default the prompt's end.", 0, int.MaxValue);
        PictureOptions pictures = new("session.png");
        var command = new Command("attach", "Follows a session to its end, from the beginning or any position.") { id, from };
        pictures.AddTo(command);
        application.SetAction(command, async (parsed, context) =>
        {
            PictureSettings settings = pictures.Read(parsed);
            var request = new AttachRequest { SessionId = await ResolveAsync(parsed, id, context), FromPosition = parsed.GetValue(from) ?? 0 };
            return await new GenerationRun(context, settings, outlives: true).RunAsync(context.Client.AttachAsync(request, context.Deadline, context.CancellationToken), samples: 1);
        });
        return command;
    }

    static async Task<int> ListAsync(ParseResult parsed, CliContext context)
    {
        ListSessionsResponse response = await Client(context).ListAsync(new ListSessionsRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken);
        if (context.IsJson)
        {
            context.WriteJson(response);
            return ExitCode.Ok;
        }

        Table table = new Table().AddColumns("session", "model", "state", "position", "of", "replica", "created");
        foreach (Session session in response.Sessions)
        {
            table.AddRow(
                Cell.Of(session.SessionId),
                Cell.Of(session.Model),
                Cell.Of(State(session)),
                Cell.Of($"{session.Position}"),
                Cell.Of($"{session.Width * session.Height}"),
                Cell.Of(session.Replica),
                Cell.Of($"{session.Created.ToDateTime():u}"));
        }

        context.Write(table);
        return ExitCode.Ok;
    }

    /// <summary>One line about a session, or all of it as JSON.</summary>
    internal static int Show(CliContext context, Session session)
    {
        if (context.IsJson)
        {
            context.WriteJson(session);
        }
        else
        {
            context.WriteLine($"{session.SessionId} {session.Model}: {State(session)} at {session.Position} of {session.Width * session.Height}, seed {session.Sampling.Seed}");
        }

        return ExitCode.Ok;
    }

    static string State(Session session) => session.State == SessionState.Finished
        ? $"finished ({session.Reason.ToString().ToLowerInvariant()})"
        : session.State.ToString().ToLowerInvariant();

    internal static Argument<string> SessionArgument() => new("session") { Description = "Session id, or its beginning of at least 4 characters." };

    /// <summary>The session that is meant: an id, or the beginning of one that only one session has.</summary>
    /// <exception cref="CliException">Several ids begin so.</exception>
    internal static async Task<string> ResolveAsync(ParseResult parsed, Argument<string> id, CliContext context)
    {
        string given = parsed.GetRequiredValue(id);
        if (given.Length is < LeastPrefix or >= IdLength || !given.All(char.IsAsciiHexDigitLower))
        {
            return given;
        }

        ListSessionsResponse known = await Client(context).ListAsync(new ListSessionsRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken);
        string[] meant = [.. known.Sessions.Select(session => session.SessionId).Where(known => known.StartsWith(given, StringComparison.Ordinal))];
        return meant.Length > 1
            ? throw new CliException(ExitCode.BadInput, $"{meant.Length} sessions' ids begin with '{given}': give more of it; they are {string.Join(", ", meant.Take(5))}{(meant.Length > 5 ? " and more" : "")}")
            : meant.FirstOrDefault(given);
    }

    internal static Sessions.SessionsClient Client(CliContext context) => new(context.Invoker);
}
