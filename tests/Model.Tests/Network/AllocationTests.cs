using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Tests.Cuda;
using IgptCluster.Tests.Shared;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>What a token costs the garbage collector: nothing, or its pauses would show between tokens.</summary>
public sealed class AllocationTests
{
    const int Rows = 5;
    const int Steps = 20;

    [Fact]
    public void Execute_DecodingOnProcessors_AllocatesNothing()
    {
        using Checkpoint checkpoint = Open();
        Assert.SkipUnless(CpuNetwork.Fits(checkpoint.Config), "the CPU runner is not made for this processor");
        var network = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, ScalarType.Float32, checkpoint);
        using var runner = new CpuModelRunner(network, new CpuRunnerOptions { Slots = Rows });
        Assert.Equal(0, AllocatedBy(runner));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_DecodingOnCuda_AllocatesNothing(ScalarType dtype)
    {
        Assert.SkipWhen(HostDevice.WhyNot.Length > 0, HostDevice.WhyNot);
        using Checkpoint checkpoint = Open();
        using var device = new HostDevice();
        using var runner = new CudaModelRunner(device, new CudaNetwork(device, checkpoint.Config, checkpoint.Architecture, dtype, checkpoint), Rows);
        Assert.Equal(0, AllocatedBy(runner));
    }

    static Checkpoint Open() => Checkpoint.Open(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"));

    // Bytes over many steps, on the engine's thread, once two steps have made the buffers.
    static long AllocatedBy(IModelRunner runner)
    {
        var sampling = new SamplingParameters { TopK = 40, TopP = 0.9, Seed = 3 };
        int[] tokens = Tokens(1, Steps + 3, 513);
        StepPlan[] plans = [.. Enumerable.Range(0, Steps + 3).Select(position =>
            new StepPlan([], [.. Enumerable.Range(0, Rows).Select(slot => Chunk(slot, position, tokens[position]) with { Sampling = sampling })]))];
        for (int step = 0; step < 3; step++)
            runner.Execute(plans[step]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 3; step < plans.Length; step++)
            runner.Execute(plans[step]);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
