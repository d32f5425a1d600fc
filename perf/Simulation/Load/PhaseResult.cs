using IgptCluster.Simulation.Cluster;

namespace IgptCluster.Simulation.Load;

/// <summary>What was seen in some time of the simulation. Times are the simulation's where nothing else is said.</summary>
/// <param name="Silos">Silos with a device.</param>
/// <param name="Seconds">How long it was.</param>
/// <param name="Dilation">Seconds of this machine that passed for each of these, those included in which the simulation waited for it.</param>
/// <param name="TokensPerSecond">Tokens that reached clients.</param>
/// <param name="FirstToken">From the request to the first token at the client, ms.</param>
/// <param name="Gap">From one delivery to the next of a session at the client, ms.</param>
/// <param name="Classification">From the request to the answer, ms.</param>
/// <param name="Balance">How evenly the work lay.</param>
/// <param name="Counts">What became of the requests.</param>
/// <param name="Clients">The same for each client.</param>
/// <param name="Jain">Fairness between clients, see <see cref="Fairness"/>.</param>
/// <param name="Engines">Sums over all engines.</param>
/// <param name="ProcessorShare">Share of this machine's processors that the process took.</param>
/// <param name="CoresPerSilo">Cores like this machine's that one silo would need, its part of the gateways and clients included, what it takes without load not.</param>
/// <param name="HostPerStep">Processor time of an engine's thread between two steps, µs.</param>
/// <param name="LostShare">Share of the time by which steps took too long because this machine was too slow: near zero in a run that can be believed.</param>
internal sealed record PhaseResult(
    int Silos,
    double Seconds,
    double Dilation,
    double TokensPerSecond,
    Percentiles FirstToken,
    Percentiles Gap,
    Percentiles Classification,
    Balance Balance,
    ClientCounts Counts,
    IReadOnlyList<ClientCounts> Clients,
    double Jain,
    EngineSums Engines,
    double ProcessorShare,
    double CoresPerSilo,
    double HostPerStep,
    double LostShare);
