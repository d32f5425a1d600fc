using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Load;
using IgptCluster.Simulation.Reports;

namespace IgptCluster.Simulation;

/// <summary>A cluster of some size with more work than it can do.</summary>
/// <param name="Silos">Silos with a device.</param>
/// <param name="StartSeconds">Time to start them here.</param>
/// <param name="Ideal">Tokens per second of all devices by their roofline, without prefills.</param>
/// <param name="Phase">What was measured.</param>
internal sealed record ScalingResult(int Silos, double StartSeconds, double Ideal, PhaseResult Phase)
{
    public double PerSilo => Phase.TokensPerSecond / Silos;
}

/// <summary>Measures how throughput grows with silos.</summary>
internal static class ScalingProgram
{
    /// <param name="settings">What all runs have in common.</param>
    /// <param name="silos">Sizes of clusters.</param>
    /// <param name="overcommit">Generations asked for at a time, for each KV slot.</param>
    internal static async Task<int> RunAsync(SimulationSettings settings, int[] silos, double overcommit)
    {
        var results = new List<ScalingResult>();
        foreach (int count in silos)
        {
            await MeasureAsync(settings, count, overcommit, results);
            GC.Collect();
        }

        ScalingChart.Draw(settings.Picture, settings, results);
        return 0;
    }

    /// <summary>Adds a result, and tells it before the silos are stopped: that takes a while, too.</summary>
    static async Task MeasureAsync(SimulationSettings settings, int silos, double overcommit, List<ScalingResult> results)
    {
        SimulatedTopology plan = settings.Plan(silos);
        long started = TimeProvider.System.GetTimestamp();
        await using SimulatedCluster cluster = await SimulatedCluster.StartAsync(plan);
        double start = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        using var stop = new CancellationTokenSource();
        var clients = new SimulatedClients(cluster, new RequestMix(cluster.Model, settings.Sampling, classifications: 0), count: 1, stop.Token);
        int generations = (int)(silos * settings.Slots * overcommit);
        Task saturating = clients.SaturateAsync(generations);
        await clients.StartedAsync(generations);
        PhaseResult phase = await Phase.MeasureAsync(cluster, clients, settings.Warm, settings.Length);
        results.Add(new ScalingResult(silos, start, silos * Capacity.TokensPerSecond(settings, settings.Slots), phase));
        SimulationTables.Print(results);
        await SimulationFiles.WriteAsync(settings.Json, results);
        await stop.CancelAsync();
        await saturating;
    }
}
