using System.Collections.Concurrent;

namespace IgptCluster.Model.Tests.Cpu;

public sealed class WorkTeamTests
{
    [Fact]
    public void Run_Pinned_EachThreadHasAProcessorOfItsOwnUntilTheEnd()
    {
        int[] before = Processors.Allowed();
        Assert.SkipUnless(before.Length > 0, "this system does not tell a thread's processors");
        int threads = Processors.OneOfEachCore(before).Length;
        using (var team = new WorkTeam(threads, isPinned: true))
        {
            Assert.Equal(threads, Where(team).Values.SelectMany(processors => processors).Distinct().Count());
            Assert.All(Where(team), worker => Assert.Single(worker.Value));
        }

        Assert.Equal(before, Processors.Allowed());
    }

    [Fact]
    public void Run_NotPinned_LeavesThreadsAsTheyAre()
    {
        int[] before = Processors.Allowed();
        using var team = new WorkTeam(2);
        Assert.All(Where(team), worker => Assert.Equal(before, worker.Value));
    }

    // Every worker takes exactly one item: none takes another before all have one.
    static ConcurrentDictionary<int, int[]> Where(WorkTeam team)
    {
        var seen = new ConcurrentDictionary<int, int[]>();
        using var all = new Barrier(team.Workers);
        team.Run(team.Workers, worker =>
        {
            while (team.TryTake(worker, out _))
            {
                all.SignalAndWait(TestContext.Current.CancellationToken);
                seen[worker] = Processors.Allowed();
            }
        });
        return seen;
    }
}
