using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Load;
using IgptCluster.Simulation.Reports;

namespace IgptCluster.Simulation;

/// <summary>A cluster under an open load.</summary>
/// <param name="Silos">Silos with a device.</param>
/// <param name="Share">What is asked for, as a share of what the devices can do.</param>
/// <param name="RequestsPerSecond">Requests asked for, of all clients.</param>
/// <param name="Phase">What was measured.</param>
internal sealed record LoadResult(int Silos, double Share, double RequestsPerSecond, PhaseResult Phase);

/// <summary>What an open load is made of.</summary>
/// <param name="Silos">Silos with a device.</param>
/// <param name="Shares">Shares of what the devices can do, each measured on a cluster of its own.</param>
/// <param name="Clients">What each client asks for, in relation to the others.</param>
/// <param name="Classifications">Share of the requests that are classifications.</param>
internal sealed record LoadPlan(int Silos, double[] Shares, double[] Clients, double Classifications);

/// <summary>Measures waiting, balance, fairness and shedding under requests that come whatever becomes of those before.</summary>
internal static class LoadProgram
{
    internal static async Task<int> RunAsync(SimulationSettings settings, LoadPlan plan)
    {
        var results = new List<LoadResult>();
        foreach (double share in plan.Shares)
        {
            results.Add(await MeasureAsync(settings, plan, share));
            SimulationTables.Print(results);
            await SimulationFiles.WriteAsync(settings.Json, results);
            GC.Collect();
        }

        LoadChart.Draw(settings.Picture, settings, results);
        return 0;
    }

    static async Task<LoadResult> MeasureAsync(SimulationSettings settings, LoadPlan plan, double share)
    {
        await using SimulatedCluster cluster = await SimulatedCluster.StartAsync(settings.Plan(plan.Silos));
        using var stop = new CancellationTokenSource();
        var clients = new SimulatedClients(cluster, new RequestMix(cluster.Model, settings.Sampling, plan.Classifications), plan.Clients.Length, stop.Token);
        double tokens = share * Capacity.TokensPerSecond(settings, settings.Slots);
        double generations = plan.Silos * tokens / RequestMix.MeanTokens;
        double requests = generations / (1 - plan.Classifications);
        Task[] asking =
        [
            clients.BeginAsync((int)(plan.Silos * Capacity.Sequences(settings, tokens))),
            .. plan.Clients.Select((part, client) => clients.ArriveAsync(client, requests * part / plan.Clients.Sum())),
        ];
        PhaseResult phase = await Phase.MeasureAsync(cluster, clients, settings.Warm, settings.Length);
        await stop.CancelAsync();
        await Task.WhenAll(asking);
        return new LoadResult(plan.Silos, share, requests, phase);
    }
}
