using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;

namespace IgptCluster.Grains.Tests;

public sealed class DeviceBudgetTests
{
    const long MiB = 1 << 20;

    // 16 MiB of scratch are added: 100 MiB in all.
    static readonly EngineMemory Need = new(WeightBytes: 20 * MiB, Slots: 4, SlotBytes: 16 * MiB);

    [Fact]
    public void Room_MemoryIsShort_CountsWhatFitsBesideTheReserve()
    {
        // A twentieth stays free: 950 MiB of 1,000.
        Assert.Equal(9, new DeviceBudget("cpu", 100, () => (1000 * MiB, 1000 * MiB)).Room(Need).Replicas);
        SiloRoom none = new DeviceBudget("cpu", 100, () => (120 * MiB, 1000 * MiB)).Room(Need);
        Assert.Equal(0, none.Replicas);
        Assert.Contains("takes 100 MiB (20 of weights, 4 KV slots of 16); cpu has 70 MiB left", none.Explanation, StringComparison.Ordinal);
    }

    [Fact]
    public void Room_EnginesThatAreThere_AreCountedAgainstTheDevice()
    {
        var budget = new DeviceBudget("cuda:0", 3, () => (1000 * MiB, 1000 * MiB));
        Assert.Equal(3, budget.Room(Need).Replicas);
        budget.Enter();
        budget.Enter();
        Assert.Equal(1, budget.Room(Need).Replicas);
        budget.Enter();
        Assert.Equal(0, budget.Room(Need).Replicas);
        budget.Leave();
        Assert.Equal(1, budget.Room(Need).Replicas);
    }

    [Fact]
    public void Promise_EnginesThatLoadAtOnce_DoNotGetTheSameMemory()
    {
        long free = 260 * MiB;
        var budget = new DeviceBudget("cpu", 100, () => (free, 1000 * MiB));
        MemoryPromise first = budget.Promise(Need);
        MemoryPromise second = budget.Promise(Need);
        IgptException refused = Assert.Throws<IgptException>(() => budget.Promise(Need));
        Assert.Contains("10 MiB left", refused.Message, StringComparison.Ordinal);

        // The first has allocated its memory, the second could not load.
        free -= 100 * MiB;
        first.Dispose();
        first.Dispose();
        second.Dispose();
        using MemoryPromise third = budget.Promise(Need);
        Assert.Equal(0, budget.Room(Need).Replicas);
    }

    [Fact]
    public void Promise_EngineThatCanShrink_GetsTheSlotsThatThereIsRoomFor()
    {
        var budget = new DeviceBudget("cuda:0", 100, () => (135 * MiB, 1000 * MiB));
        using (MemoryPromise whole = budget.Promise(Need with { Slots = 2 }, canShrink: true))
        {
            Assert.Equal(2, whole.Memory.Slots);
        }

        using (MemoryPromise less = budget.Promise(Need, canShrink: true))
        {
            Assert.Equal(3, less.Memory.Slots); // 85 MiB: 20 of weights, 16 of scratch, and three times 16
        }

        // Not even one fits.
        IgptException refused = Assert.Throws<IgptException>(() => new DeviceBudget("cuda:0", 100, () => (100 * MiB, 1000 * MiB)).Promise(Need, canShrink: true));
        Assert.Contains("52 MiB", refused.Message, StringComparison.Ordinal);
    }
}
