using System.CommandLine;
using System.Globalization;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt cluster</c>.</summary>
internal static class ClusterCommands
{
    internal static Command Create(CliApplication application)
    {
        var all = new Option<bool>("--all") { Description = "Silos that have left or died, too.", Recursive = true };
        var watch = new Command("watch", "Shows it now and whenever it has changed, until interrupted.");
        application.SetAction(watch, async (parsed, context) =>
        {
            await foreach (ClusterDescription cluster in context.Client.WatchAsync(context.Deadline, context.CancellationToken))
            {
                if (!context.IsJson)
                {
                    context.Clear();
                }

                Show(context, cluster, parsed.GetValue(all));
            }

            return ExitCode.Ok;
        });
        var command = new Command("cluster", "Silos, devices and replicas.") { watch, Drain(application), Undrain(application), all };
        application.SetAction(command, async (parsed, context) =>
        {
            Show(context, await Client(context).DescribeAsync(new DescribeClusterRequest(), deadline: context.Deadline, cancellationToken: context.CancellationToken), parsed.GetValue(all));
            return ExitCode.Ok;
        });
        return command;
    }

    static Command Drain(CliApplication application)
    {
        var silo = new Argument<string>("silo") { Description = "The silo's name, as igpt cluster shows it." };
        var force = new Option<bool>("--force") { Description = "Also where no other silo serves what it serves: the cluster then refuses that work." };
        var command = new Command("drain", "Takes a silo out of service and waits until its sessions go on elsewhere or are parked; its process stays.") { silo, force };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new DrainSiloRequest { Silo = parsed.GetRequiredValue(silo), Force = parsed.GetValue(force) };
            context.WriteDone(await Client(context).DrainAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken), $"drained {request.Silo}");
            return ExitCode.Ok;
        });
        return command;
    }

    static Command Undrain(CliApplication application)
    {
        var silo = new Argument<string>("silo") { Description = "The silo's name, as igpt cluster shows it." };
        var command = new Command("undrain", "Puts a drained silo into service again.") { silo };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new UndrainSiloRequest { Silo = parsed.GetRequiredValue(silo) };
            context.WriteDone(await Client(context).UndrainAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken), $"undrained {request.Silo}");
            return ExitCode.Ok;
        });
        return command;
    }

    static void Show(CliContext context, ClusterDescription cluster, bool showsAll)
    {
        if (context.IsJson)
        {
            context.WriteJson(cluster);
            return;
        }

        context.WriteLine($"version {cluster.Version}");
        if (cluster.Store is { } store)
        {
            context.WriteLine($"store {store.State}{(store.Message.Length > 0 ? $": {store.Message}" : "")}");
        }

        Table silos = new Table().AddColumns("silo", "address", "status", "devices");
        foreach (Silo silo in cluster.Silos.Where(silo => showsAll || !silo.Status.Equals("Dead", StringComparison.OrdinalIgnoreCase)))
        {
            silos.AddRow(Cell.Of(silo.Name), Cell.Of(silo.Address), Cell.Of(silo.Status), Cell.Of(silo.Devices.Select(Describe)));
        }

        context.Write(silos);
        Table replicas = new Table().AddColumns("replica", "state", "silo", "device", "dtype", "slots", "running", "waiting", "tokens/s", "guessed");
        foreach (Replica replica in cluster.Replicas)
        {
            replicas.AddRow(
                Cell.Of(replica.Id),
                Cell.Of($"{replica.State} {replica.Message}".TrimEnd()),
                Cell.Of(replica.Silo),
                Cell.Of(replica.Device),
                Cell.Of(replica.Dtype),
                Cell.Of($"{replica.SlotsUsed} of {replica.SlotsTotal}"),
                Cell.Of($"{replica.Running}"),
                Cell.Of($"{replica.Waiting}"),
                Cell.Of(replica.TokensPerSecond.ToString("0", CultureInfo.InvariantCulture)),
                Cell.Of(replica.DraftedTokens == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * replica.AcceptedTokens / replica.DraftedTokens:0} % right")));
        }

        context.Write(replicas);
    }

    static string Describe(Device device)
    {
        string memory = device.MemoryTotal == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {device.MemoryFree / 1e9:0.#} of {device.MemoryTotal / 1e9:0.#} GB free");
        string utilization = device.HasUtilization ? string.Create(CultureInfo.InvariantCulture, $", {device.Utilization * 100:0} % busy") : "";
        return $"{device.Name}{(device.Description.Length > 0 ? $" {device.Description}" : "")}{memory}{utilization}";
    }

    static Cluster.ClusterClient Client(CliContext context) => new(context.Invoker);
}
