using IgptCluster.Engine;
using IgptCluster.Simulation.Cluster;

namespace IgptCluster.Simulation.Load;

/// <summary>How evenly the work lies over the replicas.</summary>
/// <param name="MeanBusy">KV slots in use of one replica, over replicas and time.</param>
/// <param name="Imbalance">(most − mean) / mean of the slots in use at one moment, mean over the moments.</param>
/// <param name="LastingImbalance">The same of each replica's mean over time.</param>
/// <param name="Variation">Standard deviation / mean of the slots in use at one moment, mean over the moments.</param>
/// <param name="MeanWaiting">Sequences that wait at one replica, over replicas and time.</param>
/// <param name="MostWaiting">The most that ever waited at one.</param>
/// <param name="IdleSlots">Share of moments and replicas in which a replica had slots free while another one's sequences waited.</param>
internal sealed record Balance(double MeanBusy, double Imbalance, double LastingImbalance, double Variation, double MeanWaiting, double MostWaiting, double IdleSlots);

/// <summary>Looks at all replicas again and again.</summary>
internal sealed class BalanceMeter(SimulatedCluster cluster)
{
    readonly List<double[]> _busy = [];
    readonly List<double[]> _waiting = [];
    readonly List<double> _idle = [];

    internal void Look()
    {
        EngineStatus[] now = [.. cluster.Replicas.Select(replica => replica.Loop.Status)];
        _busy.Add([.. now.Select(status => (double)status.SlotsUsed)]);
        _waiting.Add([.. now.Select(status => (double)status.Waiting)]);
        bool waits = now.Any(status => status.Waiting > 1 && status.SlotsUsed == status.SlotsTotal);
        _idle.Add(waits ? now.Average(status => status.SlotsUsed < status.SlotsTotal ? 1.0 : 0) : 0);
    }

    internal Balance Result()
    {
        double[] lasting = [.. Enumerable.Range(0, cluster.Replicas.Count).Select(replica => _busy.Average(moment => moment[replica]))];
        return new Balance(
            lasting.Average(),
            _busy.Average(Imbalance),
            Imbalance(lasting),
            _busy.Average(Variation),
            _waiting.Average(moment => moment.Average()),
            _waiting.Max(moment => moment.Max()),
            _idle.Average());
    }

    static double Imbalance(double[] values) => values.Average() is > 0 and var mean ? (values.Max() - mean) / mean : 0;

    static double Variation(double[] values) => values.Average() is > 0 and var mean ? Math.Sqrt(values.Average(value => (value - mean) * (value - mean))) / mean : 0;
}
