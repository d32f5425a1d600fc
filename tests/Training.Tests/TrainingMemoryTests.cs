using System.Diagnostics;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;
using TorchSharp;

namespace IgptCluster.Training.Tests;

/// <summary>Counts what the whole process holds, so nothing may run beside it.</summary>
[CollectionDefinition(nameof(TrainingMemoryTests), DisableParallelization = true)]
[Collection(nameof(TrainingMemoryTests))]
public sealed class TrainingMemoryTests
{
    const int Steps = 1000;

    [Fact]
    public void Step_ThousandTimes_LeavesTensorsAndMemoryWhereTheyWere()
    {
        TrainingPlan plan = Tiny.Plan(steps: 2 * Steps);
        using PretrainTask task = Tiny.Task(plan);
        using var trainer = new Trainer(task.Network, task.Parameters, plan, Tiny.Stripes(64), task.Loss);
        Step(trainer, 200);
        (long tensors, long bytes) = Held();
        Step(trainer, Steps);
        (long after, long bytesAfter) = Held();
        TestContext.Current.TestOutputHelper!.WriteLine($"{tensors} live tensors, {after - tensors:+0;-0;0} after {Steps} steps; resident memory {(bytesAfter - bytes) / 1048576.0:+0.0;-0.0} MiB");
        Assert.Equal(tensors, after);

        // One forgotten set of gradients a step would be 35 MB.
        Assert.InRange(bytesAfter - bytes, long.MinValue, 24 << 20);
    }

    static void Step(Trainer trainer, int count)
    {
        for (int i = 0; i < count; i++)
            trainer.Step();
    }

    static (long Tensors, long Bytes) Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return (torch.Tensor.TotalCount, process.WorkingSet64);
    }
}
