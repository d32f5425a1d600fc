using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Scheduling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

/// <summary>An engine's step without its thread, which takes a time of its own.</summary>
internal sealed class Stepper(EngineOptions options, int slots, IDrafter? drafter = null)
{
    static readonly ModelShape Shape = FakeModelRunner.SmallShape;

    TimeSpan _now;

    public FakeModelRunner Runner { get; } = new(Shape, slots);

    public Scheduler Scheduler { get; } = new(options, Shape, slots, drafter);

    /// <summary>What a step takes, ms.</summary>
    public double PerStep { get; init; }

    /// <summary>What each of its tokens adds, ms.</summary>
    public double PerToken { get; init; }

    /// <summary>Bytes that the scheduler allocated.</summary>
    public long Allocated { get; private set; }

    public Generation Add(GenerationRequest request)
    {
        var sequence = new GenerationSequence(request, Shape.StartToken, _now);
        Scheduler.Add(sequence);
        return sequence.Stream;
    }

    public StepPlan Step(Action? betweenExecuteAndApply = null)
    {
        _now += TimeSpan.FromMilliseconds(1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        StepPlan plan = Scheduler.Schedule(_now);
        Allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.NotEmpty(plan.Chunks);
        IReadOnlyList<ChunkOutput> outputs = Runner.Execute(plan);
        _now += TimeSpan.FromMilliseconds(PerStep + (PerToken * plan.TokenCount));
        betweenExecuteAndApply?.Invoke();
        before = GC.GetAllocatedBytesForCurrentThread();
        Scheduler.Apply(outputs, _now);
        Allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        Scheduler.CheckIntegrity();
        return plan;
    }

    public void RunSteps(int count)
    {
        for (int step = 0; step < count && Scheduler.HasWork; step++)
        {
            Step();
        }
    }

    public void RunToEnd() => RunSteps(int.MaxValue);
}
