using IgptCluster.Engine.Scheduling;

namespace IgptCluster.Engine.Tests;

public sealed class KvSlotPoolTests
{
    [Fact]
    public void AcquireAndRelease_InAnyOrder_NeitherLosesNorDoublesASlot()
    {
        var pool = new KvSlotPool(8);
        var held = new List<int>();
        var random = new Random(1);
        for (int i = 0; i < 10_000; i++)
        {
            if (random.Next(2) == 0 && pool.TryAcquire(out int slot))
            {
                Assert.DoesNotContain(slot, held);
                held.Add(slot);
            }
            else if (held.Count > 0)
            {
                int index = random.Next(held.Count);
                pool.Release(held[index], new[] { i }, "");
                held.RemoveAt(index);
            }

            Assert.Equal(8, pool.Free + held.Count);
        }
    }

    [Fact]
    public void TryAcquire_AllTaken_SaysNo()
    {
        var pool = new KvSlotPool(1);
        Assert.True(pool.TryAcquire(out _));
        Assert.False(pool.TryAcquire(out int slot));
        Assert.Equal(-1, slot);
    }

    [Fact]
    public void Release_FreeSlot_IsABug()
    {
        var pool = new KvSlotPool(2);
        Assert.Throws<InvalidOperationException>(() => pool.Release(0, default, ""));
    }

    [Fact]
    public void LongestPrefix_FreedSlots_FindsTheOneThatHoldsMost()
    {
        var pool = new KvSlotPool(3);
        Assert.True(pool.TryAcquire(out int first));
        Assert.True(pool.TryAcquire(out int second));
        pool.Release(first, new[] { 1, 2, 9 }, "a");
        pool.Release(second, new[] { 1, 2, 3, 4 }, "a");
        Assert.Equal((second, 3), pool.LongestPrefix([1, 2, 3, 7], "a"));
        Assert.Equal(0, pool.LongestPrefix([1, 2, 3, 7], "b").Length);
        pool.Acquire(second);
        Assert.Equal((first, 2), pool.LongestPrefix([1, 2, 3, 7], "a"));
    }
}
