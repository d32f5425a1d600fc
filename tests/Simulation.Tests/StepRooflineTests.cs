using IgptCluster.Engine.Runner;
using IgptCluster.Simulation.Devices;
using Microsoft.Extensions.Time.Testing;

namespace IgptCluster.Simulation.Tests;

public sealed class StepRooflineTests
{
    static readonly StepRoofline Small = new(SimulatedModel.Preset("small"), SimulatedDevice.H200);

    static StepPlan Decoding(int sequences, int position) => new([], [.. Enumerable.Range(0, sequences).Select(slot => new SequenceChunk
    {
        Slot = slot,
        Start = position,
        Tokens = new[] { 1 },
        LogitRows = 1,
    })]);

    [Fact]
    public void Times_ManySequencesDecoding_ReadTheirCacheOnceAndTheWeightsOnce()
    {
        StepTimes step = Small.Times(Decoding(256, position: 511));
        Assert.Equal(Small.Decode(256, 511), step);

        // 24 layers of 12 x 512 x 512 weights and the head's, and 256 x 512 positions of 2 x 24 x 512 numbers, two bytes each, at 3.6 TB/s.
        Assert.Equal(((24 * 12 * 512 * 512) + (512 * 512)) * 2 / 3.6e12, step.Weights.TotalSeconds, 6);
        Assert.Equal(256 * 512 * 2.0 * 24 * 512 * 2 / 3.6e12, step.Cache.TotalSeconds, 6);
        Assert.Equal(step.Weights > step.Products ? step.Weights : step.Products, step.Total - step.Cache - step.Launches - step.Host);
    }

    [Fact]
    public void Times_Prefill_IsBoundByProducts()
    {
        StepTimes step = Small.Times(new StepPlan([], [new SequenceChunk { Slot = 0, Start = 0, Tokens = new int[1024], PooledLayers = [16] }]));
        Assert.True(step.Products > step.Weights);
        Assert.Equal(2.0 * 24 * 12 * 512 * 512 * 1024 / 494.5e12, step.Products.TotalSeconds, 6);
        Assert.Equal(4.0 * 24 * 512 * (1024 * 1025 / 2) / 494.5e12, step.Attention.TotalSeconds, 6);
    }

    [Fact]
    public void SlotsOn_H200_LeavesRoomForTheWeights() => Assert.InRange(Small.Model.SlotsOn(SimulatedDevice.H200), 2500, 2530);

    [Fact]
    public void Execute_ThreadThatWakesLate_TakesTheRightTimeOnAverage()
    {
        var time = new FakeTimeProvider();
        using var runner = new SimulatedModelRunner(Small, slotCount: 8, time, asked => time.Advance(asked + TimeSpan.FromMicroseconds(100)));
        StepPlan plan = Decoding(8, position: 300);
        long started = time.GetTimestamp();
        for (int step = 0; step < 100; step++)
        {
            Assert.Equal(8, runner.Execute(plan).Count);
        }

        TimeSpan ideal = 100 * Small.Times(plan).Total;
        Assert.InRange(time.GetElapsedTime(started), ideal, ideal + TimeSpan.FromMicroseconds(101));
        Assert.Equal(TimeSpan.Zero, runner.Lost);
    }

    [Fact]
    public void Execute_HostThatIsTooSlow_TellsWhatWasLost()
    {
        var time = new FakeTimeProvider();
        using var runner = new SimulatedModelRunner(Small, slotCount: 8, time, _ => time.Advance(TimeSpan.FromSeconds(1)));
        runner.Execute(Decoding(8, position: 300));
        Assert.InRange(runner.Lost, TimeSpan.FromSeconds(0.99), TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void DilatedTime_ClockAndTimers_RunSlower()
    {
        var real = new FakeTimeProvider();
        var time = new DilatedTimeProvider(50, real);
        (long started, DateTimeOffset then, int ticks) = (time.GetTimestamp(), time.GetUtcNow(), 0);
        using ITimer timer = time.CreateTimer(_ => ticks++, null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        real.Advance(TimeSpan.FromSeconds(49));
        Assert.Equal(0, ticks);
        real.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, TimeSpan.FromSeconds(1), then.AddSeconds(1)), (ticks, time.GetElapsedTime(started), time.GetUtcNow()));
        timer.Change(TimeSpan.FromSeconds(3), Timeout.InfiniteTimeSpan);
        real.Advance(TimeSpan.FromSeconds(149));
        Assert.Equal(1, ticks);
        real.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(2, ticks);
    }

    [Fact]
    public void ChangeDilation_ClockThatRuns_GoesOnFromWhereItIs()
    {
        var real = new FakeTimeProvider();
        var time = new DilatedTimeProvider(1, real);
        long started = time.GetTimestamp();
        real.Advance(TimeSpan.FromSeconds(3));
        time.ChangeDilation(10);
        real.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)), (time.GetElapsedTime(started), time.Real(TimeSpan.FromSeconds(3))));
    }
}
