using IgptCluster.Contracts;
using IgptCluster.Engine;
using IgptCluster.Engine.Runner;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Simulation.Devices;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Simulation.Cluster;

/// <summary>Starts real engines over simulated devices.</summary>
/// <param name="advertisement">What its silo serves.</param>
/// <param name="plan">The cluster's devices.</param>
/// <param name="started">Told of each engine.</param>
internal sealed class SimulatedReplicaHost(SiloAdvertisement advertisement, SimulatedTopology plan, Action<SimulatedReplica> started) : IReplicaHost
{
    const int Labels = 10;

    public SiloAdvertisement Advertisement { get; } = advertisement;

    public ReplicaEngine Start(ReplicaId replica, ModelDeployment deployment)
    {
        var runner = new MeasuredRunner(new SimulatedModelRunner(plan.Roofline, plan.Slots, plan.Time, plan.Wait), plan.HostPerToken);
        var loop = new EngineLoop(new EngineOptions { MaxWaiting = plan.MaxWaiting }, () => runner, plan.Time, NullLogger.Instance);
        started(new SimulatedReplica(replica, loop, runner.Meter));
        return new ReplicaEngine(loop, plan.Roofline.Device.Name, "bfloat16", LoadAsync(loop, replica), new LoadProgress());
    }

    public Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment) => Task.FromResult(new SiloRoom(int.MaxValue, "simulated"));

    static async Task<LoadedModel> LoadAsync(EngineLoop loop, ReplicaId replica)
    {
        ModelShape shape = await loop.StartAsync();
        int layer = shape.LayerCount * 2 / 3;
        var head = new LinearHead(
            new HeadDescription("labels", layer, [.. Enumerable.Range(0, Labels).Select(label => $"{label}")]), new float[Labels * shape.EmbeddingSize], []);
        return new LoadedModel(
            new ModelDescription
            {
                Name = replica.Model,
                Version = "simulated",
                ConfigJson = "{}",
                PreprocessorJson = "",
                ProbeLayer = layer,
                Heads = [head.Description],
                VocabularySize = shape.VocabularySize,
                PositionCount = shape.PositionCount,
                LayerCount = shape.LayerCount,
                EmbeddingSize = shape.EmbeddingSize,
                CanGenerate = shape.LogitCount > 0,
            },
            [head]);
    }
}
