using System.CommandLine;
using Google.Rpc;
using Grpc.Core;
using IgptCluster.Protocol;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt models put-head</c> and <c>igpt models delete-head</c>.</summary>
internal static class HeadCommands
{
    const int LabelsShown = 20;

    internal static Command[] Create(CliApplication application) => [Put(application), Delete(application)];

    /// <summary>One line about a head.</summary>
    internal static string Describe(Head head)
    {
        string rest = head.Labels.Count > LabelsShown ? $" … and {head.Labels.Count - LabelsShown} more" : "";
        return $"head {Short(head)}: {string.Join(", ", head.Labels.Take(LabelsShown))}{rest}";
    }

    /// <summary>Name, layer and number of labels.</summary>
    internal static string Short(Head head) => $"{head.Name} on layer {head.Layer}, {head.Labels.Count} label{(head.Labels.Count == 1 ? "" : "s")}";

    static Command Put(CliApplication application)
    {
        var file = new Argument<string>("file") { Description = "Head file: the JSON form of PutHeadRequest; - is standard input." };
        Option<string> model = EvaluationCommands.ModelOption();
        var name = new Option<string>("--name") { Description = "Name of the head; default the file's head, else the file's name.", DefaultValueFactory = _ => "" };
        var command = new Command("put-head", "Adds a classifier head to a served model, or replaces the one of that name.") { file, model, name };
        application.SetAction(command, async (parsed, context) =>
        {
            string path = parsed.GetRequiredValue(file);
            PutHeadRequest request = await ReadAsync(path, context.CancellationToken);
            request.Model = parsed.GetRequiredValue(model) is { Length: > 0 } givenModel ? givenModel : request.Model;
            request.Head = parsed.GetRequiredValue(name) is { Length: > 0 } givenName ? givenName : request.Head;
            Head head = await SendAsync(path, request, context);
            if (context.IsJson)
            {
                context.WriteJson(head);
                return ExitCode.Ok;
            }

            context.WriteLine(Describe(head));
            return ExitCode.Ok;
        });
        return command;
    }

    static async Task<PutHeadRequest> ReadAsync(string path, CancellationToken cancellationToken)
    {
        byte[] bytes = await InputFile.ReadAsync(path, HeadFile.MaxBytes, cancellationToken);
        try
        {
            return HeadFile.Read(new MemoryStream(bytes), path == "-" ? null : path);
        }
        catch (InvalidDataException failure)
        {
            throw new CliException(ExitCode.BadInput, $"'{path}' {failure.Message}");
        }
    }

    static async Task<Head> SendAsync(string path, PutHeadRequest request, CliContext context)
    {
        try
        {
            return await new Protocol.V1.Models.ModelsClient(context.Invoker).PutHeadAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken);
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition)
        {
            throw new CliException(ExitCode.BadInput, $"'{path}': {refused.Status.Detail}");
        }
        catch (RpcException tooLarge) when (tooLarge.StatusCode == StatusCode.ResourceExhausted && tooLarge.GetRpcStatus()?.GetDetail<ErrorInfo>() is null)
        {
            // gRPC itself refuses by size, before any service could say what to do.
            throw new CliException(
                ExitCode.BadInput,
                $"'{path}': the head is a message of {request.CalculateSize():N0} bytes, more than the gateway takes: divide it, or raise the gateway's Igpt:Gateway:MaxRequestBytes");
        }
    }

    static Command Delete(CliApplication application)
    {
        var name = new Argument<string>("name") { Description = "Name of the head." };
        Option<string> model = EvaluationCommands.ModelOption();
        var command = new Command("delete-head", "Removes a classifier head that was put.") { name, model };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new DeleteHeadRequest { Model = parsed.GetRequiredValue(model), Head = parsed.GetRequiredValue(name) };
            context.WriteDone(
                await new Protocol.V1.Models.ModelsClient(context.Invoker).DeleteHeadAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken),
                $"deleted head {request.Head}");
            return ExitCode.Ok;
        });
        return command;
    }
}
