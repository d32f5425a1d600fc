using IgptCluster.Simulation.Cluster;

namespace IgptCluster.Simulation.Load;

/// <summary>Measures a cluster that is under load.</summary>
internal static class Phase
{
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);

    /// <param name="cluster">The cluster.</param>
    /// <param name="clients">Its clients; they have begun.</param>
    /// <param name="warm">What passes before, in the simulation.</param>
    /// <param name="length">What is measured, in the simulation.</param>
    internal static async Task<PhaseResult> MeasureAsync(SimulatedCluster cluster, SimulatedClients clients, TimeSpan warm, TimeSpan length)
    {
        await cluster.Plan.UntilAsync(cluster.Plan.Time.GetTimestamp(), warm);
        clients.Restart();
        EngineSums before = Sums(cluster);
        (TimeSpan processor, long started, long begun) = (Environment.CpuUsage.TotalTime, cluster.Plan.Time.GetTimestamp(), TimeProvider.System.GetTimestamp());
        var balance = new BalanceMeter(cluster);
        while (cluster.Plan.Time.GetElapsedTime(started) < length)
        {
            balance.Look();
            await Task.Delay(LookInterval, cluster.Plan.Time);
        }

        double seconds = cluster.Plan.Time.GetElapsedTime(started).TotalSeconds;
        double real = TimeProvider.System.GetElapsedTime(begun).TotalSeconds;
        double used = (Environment.CpuUsage.TotalTime - processor).TotalSeconds;
        EngineSums engines = Sums(cluster) - before;
        IReadOnlyList<ClientMeter> meters = clients.Meters;
        ClientCounts[] counts = [.. meters.Select(meter => meter.Counts)];
        ClientCounts all = counts.Aggregate((one, other) => one + other);
        return new PhaseResult(
            cluster.Replicas.Count,
            seconds,
            real / seconds,
            all.Tokens / seconds,
            Percentiles.Of(Histogram.Sum(meters.Select(meter => meter.FirstTokens))),
            Percentiles.Of(Histogram.Sum(meters.Select(meter => meter.Gaps))),
            Percentiles.Of(Histogram.Sum(meters.Select(meter => meter.Classifications))),
            balance.Result(),
            all,
            counts,
            Fairness.Jain([.. counts.Select(one => (double)one.Asked)], [.. counts.Select(one => (double)(one.Finished + one.Classified))]),
            engines,
            used / real / Environment.ProcessorCount,
            Math.Max(0, used - (cluster.IdleProcessors * real)) / seconds / cluster.Replicas.Count,
            engines.Host.TotalMicroseconds / Math.Max(1, engines.Steps),
            engines.Lost.TotalSeconds / seconds / cluster.Replicas.Count);
    }

    static EngineSums Sums(SimulatedCluster cluster) => cluster.Replicas.Aggregate(default(EngineSums), (sums, replica) => sums + replica.Meter.Sums);
}
