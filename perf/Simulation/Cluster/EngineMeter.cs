using IgptCluster.Simulation.Devices;
using IgptCluster.Simulation.Load;

namespace IgptCluster.Simulation.Cluster;

/// <summary>Sums over the steps of one engine. The engine's thread writes, any thread takes a copy.</summary>
internal sealed class EngineMeter
{
    readonly Lock _lock = new();
    EngineSums _sums;

    internal EngineSums Sums
    {
        get
        {
            lock (_lock)
            {
                return _sums;
            }
        }
    }

    /// <summary>Processor time of the engine's thread before each step.</summary>
    internal Histogram HostTimes { get; private set; } = new();

    /// <summary>Forgets the times.</summary>
    internal void Restart() => HostTimes = new();

    /// <param name="host">Processor time of the engine's thread before the step.</param>
    /// <param name="sequences">Sequences that it handed tokens to.</param>
    /// <param name="charged">What the device waited for that.</param>
    /// <param name="runner">The device, after the step.</param>
    internal void Add(TimeSpan host, int sequences, TimeSpan charged, SimulatedModelRunner runner)
    {
        StepTimes step = runner.Latest;
        HostTimes.Add(host);
        lock (_lock)
        {
            _sums = new EngineSums(
                _sums.Steps + 1,
                _sums.Sequences + sequences,
                _sums.Host + host,
                _sums.Charged + charged,
                _sums.Device + step.Total,
                _sums.Memory + Longer(step.Weights, step.Products, step.Weights) + Longer(step.Cache, step.Attention, step.Cache),
                _sums.Arithmetic + Longer(step.Products, step.Weights, step.Products) + Longer(step.Attention, step.Cache, step.Attention),
                _sums.Launches + step.Launches + step.Host,
                runner.Lost);
        }
    }

    static TimeSpan Longer(TimeSpan one, TimeSpan other, TimeSpan which) => one > other ? which : one == other ? which / 2 : TimeSpan.Zero;
}
