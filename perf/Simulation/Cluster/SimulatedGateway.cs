using IgptCluster.Gateway.Models;

namespace IgptCluster.Simulation.Cluster;

/// <summary>A silo without devices where requests come in, with the gateway's own directory of models.</summary>
/// <param name="Grains">Reaches grains from that silo.</param>
/// <param name="Models">Chooses replicas as the gateway does.</param>
internal sealed record SimulatedGateway(IGrainFactory Grains, ModelDirectory Models);
