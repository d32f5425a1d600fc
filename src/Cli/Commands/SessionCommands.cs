using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Cli.Generations;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt sessions</c>: what there is; <see cref="SessionChangeCommands"/> does something to it.</summary>
internal static class SessionCommands
{
    internal static Command Create(CliApplication application)
    {
        var list = new Command("list", "All sessions that are still known.");
        application.SetAction(list, ListAsync);
        Argument<string> id = SessionArgument();
        var get = new Command("get", "One session.") { id };
        application.SetAction(get, async (parsed, context) => Show(context, await Client(context).GetAsync(
            new GetSessionRequest { SessionId = parsed.GetRequiredValue(id) }, deadline: context.Deadline, cancellationToken: context.CancellationToken)));
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
        application.SetAction(command, (parsed, context) =>
        {
            var request = new AttachRequest { SessionId = parsed.GetRequiredValue(id), FromPosition = parsed.GetValue(from) ?? 0 };
            return new GenerationRun(context, pictures.Read(parsed)).RunAsync(context.Client.AttachAsync(request, context.Deadline, context.CancellationToken), samples: 1);
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
                session.SessionId,
                Markup.Escape(session.Model),
                State(session),
                $"{session.Position}",
                $"{session.Width * session.Height}",
                Markup.Escape(session.Replica),
                $"{session.Created.ToDateTime():u}");
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

    internal static Argument<string> SessionArgument() => new("session") { Description = "Session id." };

    internal static Sessions.SessionsClient Client(CliContext context) => new(context.Invoker);
}
