using System.Diagnostics;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Torch;
using TorchSharp;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;

namespace IgptCluster.Model.Tests.Network;

/// <summary>Counts what the whole process holds, so nothing may run beside it.</summary>
[CollectionDefinition(nameof(RunnerMemoryTests), DisableParallelization = true)]
[Collection(nameof(RunnerMemoryTests))]
public sealed class RunnerMemoryTests
{
    const int Steps = 1000;

    [Fact]
    public void Execute_ThousandSteps_LeavesTensorsAndMemoryWhereTheyWere()
    {
        using var runner = new TorchModelRunner(GoldenNetwork.LoadBundled("base-513"), new TorchRunnerOptions { Slots = 4 });
        int[] tokens = Tokens(9, 64, 513);

        // Every position once: the cache's pages count as resident when they are first written.
        Feed(runner, tokens, 1024);

        // Collects first: other tests leave tensors to the finalizer.
        long resident = Resident();
        long live = torch.Tensor.TotalCount;
        long scoped = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Feed(runner, tokens, Steps);
        long grown = Resident() - resident;
        TestContext.Current.TestOutputHelper!.WriteLine($"{live} live tensors; {Steps} steps: {torch.Tensor.TotalCount - live:+0;-0;0}, resident memory {grown / 1048576.0:+0.0;-0.0} MiB");
        Assert.Equal(live, torch.Tensor.TotalCount);
        Assert.Equal(scoped, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        // One forgotten [64, 512] of each step would be 128 MiB.
        Assert.True(grown < 32 << 20, $"resident memory grew by {grown} bytes");
    }

    static void Feed(TorchModelRunner runner, int[] tokens, int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            runner.Execute(new StepPlan(
                [new PrefixCopy(0, 3, 32)],
                [
                    Chunk(0, 64 * (step % 8), tokens).Scoring(tokens.Select(token => token % 512).ToArray()),
                    Chunk(1, step % 1024, tokens[0]),
                    Chunk(3, 32, tokens[..8]) with { PooledLayers = [0, 3] },
                ]));
        }
    }

    static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using Process process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
