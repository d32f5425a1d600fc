using System.Collections.Concurrent;
using IgptCluster.Model.Cpu;

namespace IgptCluster.Model.Tests.Cpu;

public sealed class WorkerPoolTests
{
    [Fact]
    public void Run_Pinned_EachThreadHasAProcessorOfItsOwnUntilTheEnd()
    {
        int[] before = Processors.Allowed();
        Assert.SkipUnless(before.Length > 0, "this system does not tell a thread's processors");
        int threads = Processors.OneOfEachCore(before).Length;
        using (var pool = new WorkerPool(threads, isPinned: true))
        {
            Assert.Equal(threads, Where(pool).Values.SelectMany(processors => processors).Distinct().Count());
            Assert.All(Where(pool), worker => Assert.Single(worker.Value));
        }

        Assert.Equal(before, Processors.Allowed());
    }

    [Fact]
    public void Run_NotPinned_LeavesThreadsAsTheyAre()
    {
        int[] before = Processors.Allowed();
        using var pool = new WorkerPool(2);
        Assert.All(Where(pool), worker => Assert.Equal(before, worker.Value));
    }

    // Every worker takes exactly one item: none takes another before all have one.
    static ConcurrentDictionary<int, int[]> Where(WorkerPool pool)
    {
        var seen = new ConcurrentDictionary<int, int[]>();
        using var all = new Barrier(pool.Workers);
        pool.Run(pool.Workers, worker =>
        {
            while (pool.TryTake(worker, out _))
            {
                all.SignalAndWait(TestContext.Current.CancellationToken);
                seen[worker] = Processors.Allowed();
            }
        });
        return seen;
    }
}
