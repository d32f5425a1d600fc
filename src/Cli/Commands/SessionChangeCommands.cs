using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Cli.Generations;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt sessions fork</c>, <c>rewind</c>, <c>pause</c>, <c>resume</c>, <c>cancel</c>, <c>delete</c>.</summary>
internal static class SessionChangeCommands
{
    internal static Command[] Create(CliApplication application) =>
    [
        Fork(application),
        Rewind(application),
        Simple(application, "pause", "Gives the KV slot back and keeps the tokens, until resume or attach.", (client, id, options) =>
            client.PauseAsync(new PauseSessionRequest { SessionId = id }, options)),
        Simple(application, "resume", "Goes on with a paused session.", (client, id, options) =>
            client.ResumeAsync(new ResumeSessionRequest { SessionId = id }, options)),
        Simple(application, "cancel", "Ends a session; a finished one stays as it is.", (client, id, options) =>
            client.CancelAsync(new CancelSessionRequest { SessionId = id }, options)),
        Delete(application),
    ];

    static Command Fork(CliApplication application)
    {
        Option<uint?> at = NumberOption.CreateOptional<uint>("--at", "Raster position at which it begins to differ; default all that is made.", 0, int.MaxValue);
        return Branch(application, new Command("fork", "A new session that shares a prefix; the parent goes on undisturbed.") { at }, "fork.png", (parsed, id, sampling, forced, context) =>
            SessionCommands.Client(context).ForkAsync(
                new ForkSessionRequest { SessionId = id, AtPosition = parsed.GetValue(at) ?? 0, Sampling = sampling, Forced = { forced } }, CallOptions(context)));
    }

    static Command Rewind(CliApplication application)
    {
        Option<uint?> to = NumberOption.CreateOptional<uint>("--to", "Raster position to go on from; 0 = the prompt's end.", 0, int.MaxValue);
        to.Required = true;
        return Branch(application, new Command("rewind", "Drops what was made from a position on, and makes it anew.") { to }, "session.png", (parsed, id, sampling, forced, context) =>
            SessionCommands.Client(context).RewindAsync(
                new RewindSessionRequest { SessionId = id, ToPosition = parsed.GetRequiredValue(to)!.Value, Sampling = sampling, Forced = { forced } }, CallOptions(context)));
    }

    /// <summary>What fork and rewind share: how the rest is drawn, and following it.</summary>
    static Command Branch(
        CliApplication application, Command command, string output, Func<ParseResult, string, SamplingParameters?, IEnumerable<ForcedToken>, CliContext, AsyncUnaryCall<Session>> call)
    {
        Argument<string> id = SessionCommands.SessionArgument();
        var attach = new Option<bool>("--attach") { Description = "Follows it to its end and writes the picture." };
        var sampling = new SamplingOptions();
        var pictures = new PictureOptions(output);
        command.Add(id);
        command.Add(attach);
        sampling.AddTo(command);
        pictures.AddTo(command);
        application.SetAction(command, async (parsed, context) =>
        {
            // Read before the call: a mistake is told before anything happens.
            PictureSettings settings = pictures.Read(parsed);
            ForcedToken[] forced = [.. sampling.ReadForced(parsed)];
            Session session = await call(parsed, await SessionCommands.ResolveAsync(parsed, id, context), sampling.Read(parsed), forced, context);
            int exit = SessionCommands.Show(context, session);
            return parsed.GetValue(attach)
                ? await new GenerationRun(context, settings, outlives: true).RunAsync(
                    context.Client.AttachAsync(new AttachRequest { SessionId = session.SessionId }, context.Deadline, context.CancellationToken), samples: 1)
                : exit;
        });
        return command;
    }

    static Command Simple(CliApplication application, string name, string description, Func<Sessions.SessionsClient, string, CallOptions, AsyncUnaryCall<Session>> call)
    {
        Argument<string> id = SessionCommands.SessionArgument();
        var command = new Command(name, description) { id };
        application.SetAction(command, async (parsed, context) =>
            SessionCommands.Show(context, await call(SessionCommands.Client(context), await SessionCommands.ResolveAsync(parsed, id, context), CallOptions(context))));
        return command;
    }

    static Command Delete(CliApplication application)
    {
        Argument<string> id = SessionCommands.SessionArgument();
        var command = new Command("delete", "Ends and forgets a session.") { id };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new DeleteSessionRequest { SessionId = await SessionCommands.ResolveAsync(parsed, id, context) };
            Empty done = await SessionCommands.Client(context).DeleteAsync(request, CallOptions(context));
            context.WriteDone(done, $"deleted session {request.SessionId}");
            return ExitCode.Ok;
        });
        return command;
    }

    static CallOptions CallOptions(CliContext context) => new(deadline: context.Deadline, cancellationToken: context.CancellationToken);
}
