using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;

namespace IgptCluster.Grains.Tests;

public sealed class ReplicaChoiceTests
{
    [Fact]
    public void BetterOfTwo_TwoReady_TakesTheOneWithMoreRoom()
    {
        ReplicaStatus[] replicas = [Status(0, running: 7), Status(1, running: 1), Status(2, running: 0, state: ReplicaState.Loading)];
        for (int seed = 0; seed < 20; seed++)
        {
            Assert.Equal(1, ReplicaChoice.BetterOfTwo(replicas, new Random(seed))!.Id.Index);
        }
    }

    [Fact]
    public void BetterOfTwo_ManyReady_NeverTakesTheFullest()
    {
        ReplicaStatus[] replicas = [.. Enumerable.Range(0, 10).Select(i => Status(i, running: i))];
        var random = new Random(1);
        int[] taken = [.. Enumerable.Range(0, 1000).Select(_ => ReplicaChoice.BetterOfTwo(replicas, random)!.Id.Index)];
        Assert.DoesNotContain(9, taken);
        Assert.True(taken.Distinct().Count() >= 8);
    }

    [Fact]
    public void BetterOfTwo_NoneReady_SaysSo()
    {
        ReplicaStatus[] replicas = [Status(0, running: 0, state: ReplicaState.Faulted) with { Message = "out of memory" }];
        Assert.Null(ReplicaChoice.BetterOfTwo(replicas, new Random(1)));
        IgptException reason = ReplicaChoice.NoneReady(replicas, "toy");
        Assert.Equal(IgptErrorCode.NoReplica, reason.Code);
        Assert.Contains("faulted out of memory", reason.Message, StringComparison.Ordinal);
        Assert.NotNull(reason.RetryAfter);
    }

    static ReplicaStatus Status(int index, int running, ReplicaState state = ReplicaState.Ready) => new()
    {
        Id = new ReplicaId("toy", index),
        State = state,
        Silo = "s",
        Device = "cpu",
        DType = "float32",
        SlotsTotal = 10,
        Running = running,
    };
}
