using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Load;
using Spectre.Console;

namespace IgptCluster.Simulation.Reports;

/// <summary>Prints results.</summary>
internal static class SimulationTables
{
    const int Width = 200;

    internal static void Print(IReadOnlyList<ScalingResult> results)
    {
        Table table = Titled("More work than the devices can do").AddColumns(
            "silos", "tokens/s", "per silo", "of linear", "of roofline", "TTFT p50/p99 ms", "ITL p50/p99 ms", "busy slots", "imbalance now/lasting", "idle beside waiting");
        foreach (ScalingResult one in results)
        {
            PhaseResult phase = one.Phase;
            table.AddRow(
                $"{one.Silos}",
                $"{phase.TokensPerSecond:N0}",
                $"{one.PerSilo:N0}",
                $"{one.PerSilo / results[0].PerSilo:P1}",
                $"{phase.TokensPerSecond / one.Ideal:P1}",
                $"{phase.FirstToken.P50:N0} / {phase.FirstToken.P99:N0}",
                $"{phase.Gap.P50:0.00} / {phase.Gap.P99:0.00}",
                $"{phase.Balance.MeanBusy:0.0}",
                $"{phase.Balance.Imbalance:P1} / {phase.Balance.LastingImbalance:P1}",
                $"{phase.Balance.IdleSlots:P1}");
        }

        AnsiConsole.Write(table);
        PrintHost([.. results.Select(one => ($"{one.Silos} silos", one.Phase))]);
    }

    internal static void Print(IReadOnlyList<LoadResult> results)
    {
        Table table = Titled("Requests that come at random times").AddColumns(
            "silos", "share", "asked/s", "tokens/s", "refused", "TTFT p50/p90/p99 ms", "ITL p50/p99 ms", "classification p50/p99 ms", "busy / waiting", "imbalance now/lasting", "variation", "Jain");
        foreach (LoadResult one in results)
        {
            PhaseResult phase = one.Phase;
            table.AddRow(
                $"{one.Silos}",
                $"{one.Share:P0}",
                $"{one.RequestsPerSecond:N0}",
                $"{phase.TokensPerSecond:N0}",
                $"{phase.Counts.Refused / (double)Math.Max(1, phase.Counts.Asked):P1}",
                $"{phase.FirstToken.P50:0.0} / {phase.FirstToken.P90:0.0} / {phase.FirstToken.P99:0.0}",
                $"{phase.Gap.P50:0.00} / {phase.Gap.P99:0.00}",
                $"{phase.Classification.P50:0.0} / {phase.Classification.P99:0.0}",
                $"{phase.Balance.MeanBusy:0.0} / {phase.Balance.MeanWaiting:0.0}",
                $"{phase.Balance.Imbalance:P1} / {phase.Balance.LastingImbalance:P1}",
                $"{phase.Balance.Variation:P1}",
                $"{phase.Jain:0.000}");
        }

        AnsiConsole.Write(table);
        PrintHost([.. results.Select(one => ($"{one.Share:P0}", one.Phase))]);
    }

    /// <summary>Where the devices' time goes, and what the host needs.</summary>
    static void PrintHost(IReadOnlyList<(string Name, PhaseResult Phase)> phases)
    {
        Table table = Titled("Where time goes").AddColumns(
            "", "device: memory", "arithmetic", "launches", "waits for host", "no work", "engine thread µs/step (µs/token)", "cores per silo", "dilation", "this machine's processors", "too late");
        foreach ((string name, PhaseResult phase) in phases)
        {
            EngineSums engines = phase.Engines;
            double all = phase.Seconds * phase.Silos;
            double busy = (engines.Device + engines.Charged).TotalSeconds;
            table.AddRow(
                name,
                $"{engines.Memory.TotalSeconds / all:P1}",
                $"{engines.Arithmetic.TotalSeconds / all:P1}",
                $"{engines.Launches.TotalSeconds / all:P1}",
                $"{engines.Charged.TotalSeconds / all:P1}",
                $"{Math.Max(0, 1 - (busy / all)):P1}",
                $"{phase.HostPerStep:N0} ({engines.Host.TotalMicroseconds / Math.Max(1, engines.Sequences):0.0})",
                $"{phase.CoresPerSilo:0.00}",
                $"{phase.Dilation:N0}",
                $"{phase.ProcessorShare:P0}",
                $"{phase.LostShare:P1}");
        }

        AnsiConsole.Write(table);
    }

    internal static Table Titled(string title)
    {
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, Width);
        return new Table { Title = new TableTitle(title), Border = TableBorder.Markdown };
    }
}
