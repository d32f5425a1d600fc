using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt models</c>.</summary>
internal static class ModelCommands
{
    const int HeadsShown = 10;
    const uint MostReplicas = 1000;
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    internal static Command Create(CliApplication application)
    {
        var list = new Command("list", "All models.");
        application.SetAction(list, ListAsync);
        var name = new Argument<string>("model") { Description = "Model name; default the cluster's.", DefaultValueFactory = _ => "" };
        var get = new Command("get", "One model: its card, heads and configuration.") { name };
        application.SetAction(get, async (parsed, context) =>
        {
            Model model = await Client(context).GetAsync(
                new GetModelRequest { Model = parsed.GetRequiredValue(name) }, deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (context.IsJson)
            {
                context.WriteJson(model);
                return ExitCode.Ok;
            }

            context.WriteLine($"{model.Name} {model.Version}: {model.Width} × {model.Height} pixels, {model.Palette.Length / 3} colours, {model.Layers} layers of {model.EmbeddingSize}");
            foreach (Head head in model.Heads)
            {
                context.WriteLine(HeadCommands.Describe(head));
            }

            context.WriteText(model.Config);
            context.WriteText(model.Card);
            return ExitCode.Ok;
        });
        var command = new Command("models", "The models the cluster serves, and their classifier heads.") { list, get, Load(application), Unload(application), Scale(application) };
        foreach (Command headCommand in HeadCommands.Create(application))
        {
            command.Add(headCommand);
        }

        application.SetAction(command, ListAsync);
        return command;
    }

    static Command Load(CliApplication application)
    {
        var name = new Argument<string>("name") { Description = "Name to serve it by." };
        var source = new Argument<string>("path") { Description = "Checkpoint folder, as the silos see it." };
        Option<uint?> replicas = NumberOption.CreateOptional<uint>("--replicas", "Replicas; default one per device.", 1, MostReplicas);
        Option<string?> dtype = ChoiceOption.CreateOptionalDataType("--dtype", "Type of the weights, by default the silos':", "float32", "bfloat16", "int8");
        Option<string?> kvDtype = ChoiceOption.CreateOptionalDataType("--kv-dtype", "Type of keys and values, by default as the weights, bfloat16 with int8:", "float32", "bfloat16", "int8");
        var wait = new Option<bool>("--wait") { Description = "Ends when all its replicas are ready, or with the reason when one cannot be loaded; what was served before is then served on." };
        var command = new Command("load", "Serves another model, or another version of one.") { name, source, replicas, dtype, kvDtype, wait };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new LoadModelRequest
            {
                Model = parsed.GetRequiredValue(name),
                Source = parsed.GetRequiredValue(source),
                Replicas = parsed.GetValue(replicas) ?? 0,
                Dtype = parsed.GetValue(dtype) ?? "",
                KvDtype = parsed.GetValue(kvDtype) ?? "",
            };
            Model model = await Client(context).LoadAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken);
            return Show(context, parsed.GetValue(wait) ? await LoadedAsync(context, request.Model) : model);
        });
        return command;
    }

    /// <summary>A model once all its replicas are ready.</summary>
    static async Task<Model> LoadedAsync(CliContext context, string name)
    {
        using var tick = new PeriodicTimer(LookInterval);
        while (true)
        {
            ListModelsResponse now = await Client(context).ListAsync(new ListModelsRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (now.Failures.FirstOrDefault(failure => failure.Model == name) is { } failure)
            {
                throw new CliException(ExitCode.BadInput, $"'{name}' could not be loaded from '{failure.Source}': {failure.Message}");
            }

            Model model = now.Models.FirstOrDefault(model => model.Name == name)
                ?? throw new CliException(ExitCode.NotFound, $"'{name}' was unloaded while it was being loaded");
            if (!model.Loading)
            {
                return model;
            }

            await tick.WaitForNextTickAsync(context.CancellationToken);
        }
    }

    static Command Unload(CliApplication application)
    {
        var name = new Argument<string>("name") { Description = "Model name." };
        var command = new Command("unload", "Stops serving a model.") { name };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new UnloadModelRequest { Model = parsed.GetRequiredValue(name) };
            context.WriteDone(await Client(context).UnloadAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken), $"unloaded {request.Model}");
            return ExitCode.Ok;
        });
        return command;
    }

    static Command Scale(CliApplication application)
    {
        var name = new Argument<string>("name") { Description = "Model name." };
        Argument<uint> replicas = NumberOption.CreateArgument("replicas", "Number of replicas.", 0u, MostReplicas);
        var command = new Command("scale", "Changes a model's number of replicas.") { name, replicas };
        application.SetAction(command, async (parsed, context) => Show(context, await Client(context).ScaleAsync(
            new ScaleModelRequest { Model = parsed.GetRequiredValue(name), Replicas = parsed.GetValue(replicas) },
            deadline: context.Deadline,
            cancellationToken: context.CancellationToken)));
        return command;
    }

    static int Show(CliContext context, Model model)
    {
        if (context.IsJson)
        {
            context.WriteJson(model);
        }
        else
        {
            context.WriteLine($"{model.Name}: {model.Replicas.Count} replica{(model.Replicas.Count == 1 ? "" : "s")} {string.Join(", ", model.Replicas.Select(replica => replica.State))}".TrimEnd());
        }

        return ExitCode.Ok;
    }

    static async Task<int> ListAsync(ParseResult parsed, CliContext context)
    {
        ListModelsResponse response = await Client(context).ListAsync(
            new ListModelsRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken);
        if (context.IsJson)
        {
            context.WriteJson(response);
            return ExitCode.Ok;
        }

        Table table = new Table().AddColumns("model", "version", "image", "can", "heads", "replicas");
        foreach (Model model in response.Models)
        {
            table.AddRow(
                Cell.Of(model.Name),
                Cell.Of(model.Version),
                Cell.Of(model.Width > 0 ? $"{model.Width} × {model.Height}" : ""),
                Cell.Of(string.Join(", ", Abilities(model))),
                Cell.Of(HeadsOf(model)),
                Cell.Of(string.Join(", ", model.Replicas.Select(replica => replica.State))));
        }

        context.Write(table);
        foreach (LoadFailure failure in response.Failures)
        {
            context.WriteLine($"'{failure.Model}' could not be loaded from '{failure.Source}': {failure.Message}");
        }

        return ExitCode.Ok;
    }

    static IEnumerable<string> Abilities(Model model) =>
        [.. model.CanGenerate ? ["generate", "score"] : Array.Empty<string>(), .. model.Heads.Count > 0 ? ["classify"] : Array.Empty<string>(), "embed"];

    static IEnumerable<string> HeadsOf(Model model)
    {
        IEnumerable<string> shown = model.Heads.Take(HeadsShown).Select(HeadCommands.Short);
        return model.Heads.Count > HeadsShown ? shown.Append($"and {model.Heads.Count - HeadsShown} more") : shown;
    }

    static Models.ModelsClient Client(CliContext context) => new(context.Invoker);
}
