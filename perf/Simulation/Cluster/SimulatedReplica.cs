using IgptCluster.Contracts;
using IgptCluster.Engine;

namespace IgptCluster.Simulation.Cluster;

/// <summary>One engine of the simulation, seen from outside the grains.</summary>
/// <param name="Id">Its replica.</param>
/// <param name="Loop">The engine.</param>
/// <param name="Meter">What its steps took.</param>
internal sealed record SimulatedReplica(ReplicaId Id, EngineLoop Loop, EngineMeter Meter);
