using IgptCluster.Contracts;
using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Devices;

namespace IgptCluster.Simulation;

/// <summary>What all runs have in common.</summary>
/// <param name="Preset">Size of the model.</param>
/// <param name="Slots">KV slots of a device.</param>
/// <param name="Gateways">Silos without devices.</param>
/// <param name="MaxWaiting">Sequences that an engine lets wait.</param>
/// <param name="HostPerToken">What a device waits for its engine's thread, for each sequence of a step.</param>
/// <param name="Dilation">Seconds of this machine for each of the simulation; null: as many as the load wants.</param>
/// <param name="TopK">Colours that are kept; 0: all.</param>
/// <param name="TopP">Mass that is kept.</param>
/// <param name="Warm">What passes before a measurement, in the simulation.</param>
/// <param name="Length">What is measured, in the simulation.</param>
/// <param name="Json">File for the results.</param>
/// <param name="Picture">File for the picture.</param>
internal sealed record SimulationSettings(
    string Preset, int Slots, int Gateways, int MaxWaiting, TimeSpan HostPerToken, double? Dilation, int TopK, double TopP, TimeSpan Warm, TimeSpan Length, string Json, string Picture)
{
    // Processor time of this host for one token on its way from sampler to client, and how much of the processors a run may take.
    const double HostSecondsPerToken = 70e-6;
    const double ProcessorShare = 0.3;
    const double LeastDilation = 40; // a wait of a millisecond is then short

    internal WorkingTimeProvider Clock { get; } = new();

    internal StepRoofline Roofline { get; } = new(SimulatedModel.Preset(Preset), SimulatedDevice.H200);

    internal SamplingSettings Sampling => new() { Temperature = 1, TopK = TopK, TopP = TopP, Seed = 0 };

    /// <summary>A cluster of some silos, slowed down so that this machine can keep up with it.</summary>
    internal SimulatedTopology Plan(int silos)
    {
        double dilation = Dilation ?? Math.Ceiling(Math.Max(LeastDilation, silos * Capacity.TokensPerSecond(this, Slots) * HostSecondsPerToken / (ProcessorShare * Environment.ProcessorCount)));
        return new SimulatedTopology
        {
            Silos = silos,
            Gateways = Gateways,
            Roofline = Roofline,
            Slots = Slots,
            MaxWaiting = MaxWaiting,
            HostPerToken = HostPerToken,
            Dilation = dilation,
            Time = new DilatedTimeProvider(dilation: 1, Clock),
        };
    }
}
