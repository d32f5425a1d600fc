using System.CommandLine;
using System.Globalization;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt models</c> and <c>igpt cluster</c>.</summary>
internal static class ClusterCommands
{
    const int HeadsShown = 10;

    internal static Command[] Create(CliApplication application) => [Models(application), Cluster(application)];

    static Command Models(CliApplication application)
    {
        var list = new Command("list", "All models.");
        application.SetAction(list, ListAsync);
        var name = new Argument<string>("model") { Description = "Model name; default the cluster's.", DefaultValueFactory = _ => "" };
        var get = new Command("get", "One model: its card, heads and configuration.") { name };
        application.SetAction(get, async (parsed, context) =>
        {
            Model model = await new Protocol.V1.Models.ModelsClient(context.Channel).GetAsync(
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

            context.WriteLine(model.Config.TrimEnd());
            context.WriteLine(model.Card.TrimEnd());
            return ExitCode.Ok;
        });
        var command = new Command("models", "The models the cluster serves, and their classifier heads.") { list, get };
        foreach (Command headCommand in HeadCommands.Create(application))
        {
            command.Add(headCommand);
        }

        application.SetAction(command, ListAsync);
        return command;
    }

    static async Task<int> ListAsync(ParseResult parsed, CliContext context)
    {
        ListModelsResponse response = await new Protocol.V1.Models.ModelsClient(context.Channel).ListAsync(
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
                Markup.Escape(model.Name),
                model.Version,
                $"{model.Width} × {model.Height}",
                model.CanGenerate ? "generate, score, embed" : "embed",
                Markup.Escape(HeadsOf(model)),
                string.Join(", ", model.Replicas.Select(replica => replica.State)));
        }

        context.Write(table);
        return ExitCode.Ok;
    }

    static string HeadsOf(Model model)
    {
        IEnumerable<string> shown = model.Heads.Take(HeadsShown).Select(HeadCommands.Short);
        return string.Join('\n', model.Heads.Count > HeadsShown ? shown.Append($"and {model.Heads.Count - HeadsShown} more") : shown);
    }

    static Command Cluster(CliApplication application)
    {
        var command = new Command("cluster", "Silos, devices and replicas.");
        application.SetAction(command, async (_, context) =>
        {
            ClusterDescription cluster = await new Protocol.V1.Cluster.ClusterClient(context.Channel).DescribeAsync(
                new DescribeClusterRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (context.IsJson)
            {
                context.WriteJson(cluster);
                return ExitCode.Ok;
            }

            context.WriteLine($"version {cluster.Version}");
            Table silos = new Table().AddColumns("silo", "address", "status", "devices");
            foreach (Silo silo in cluster.Silos)
            {
                silos.AddRow(Markup.Escape(silo.Name), Markup.Escape(silo.Address), silo.Status, string.Join(", ", silo.Devices.Select(device => device.Name)));
            }

            context.Write(silos);
            Table replicas = new Table().AddColumns("replica", "state", "silo", "device", "dtype", "slots", "running", "waiting", "tokens/s");
            foreach (Replica replica in cluster.Replicas)
            {
                replicas.AddRow(
                    Markup.Escape(replica.Id),
                    Markup.Escape($"{replica.State} {replica.Message}".TrimEnd()),
                    Markup.Escape(replica.Silo),
                    replica.Device,
                    replica.Dtype,
                    $"{replica.SlotsUsed} of {replica.SlotsTotal}",
                    $"{replica.Running}",
                    $"{replica.Waiting}",
                    replica.TokensPerSecond.ToString("0", CultureInfo.InvariantCulture));
            }

            context.Write(replicas);
            return ExitCode.Ok;
        });
        return command;
    }
}
