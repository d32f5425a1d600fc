using IgptCluster.Engine.Runner;
using IgptCluster.Simulation.Devices;

namespace IgptCluster.Simulation.Cluster;

/// <summary>
/// A simulated device that also takes down what its engine's thread does between two steps: handing out the last one's tokens, taking in commands, planning
/// the next. The device waits for that, at a fixed time for each token: what this host needs is measured, but hundreds of engines that share its caches need more.
/// </summary>
/// <param name="runner">The device.</param>
/// <param name="hostPerToken">What the device waits for each sequence of the step before.</param>
internal sealed class MeasuredRunner(SimulatedModelRunner runner, TimeSpan hostPerToken) : IModelRunner
{
    TimeSpan _left;
    int _chunks;

    public ModelShape Shape => runner.Shape;

    public int SlotCount => runner.SlotCount;

    /// <summary>What was measured; any thread.</summary>
    internal EngineMeter Meter { get; } = new();

    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        TimeSpan host = _chunks == 0 ? TimeSpan.Zero : HostClock.ThreadTime - _left;
        IReadOnlyList<ChunkOutput> outputs = runner.Execute(plan, _chunks * hostPerToken);
        Meter.Add(host, _chunks, _chunks * hostPerToken, runner);
        (_left, _chunks) = (HostClock.ThreadTime, plan.Chunks.Count);
        return outputs;
    }

    public void Dispose() => runner.Dispose();
}
