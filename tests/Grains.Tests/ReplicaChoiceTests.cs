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
    public async Task ChooseAsync_ReplicaThatFilledSinceItWasLookedAt_TakesTheOther()
    {
        using var gate = new SemaphoreSlim(0);
        var model = new FakeModel { BeforeStep = _ => gate.Wait() };
        await using TestCluster cluster = await TestCluster.StartAsync(model, devices: 2);
        ReplicaStatus[] lately = await cluster.ReadyAsync("toy", 2);
        var filled = new SessionId("filling");
        await using (IAsyncEnumerator<SessionUpdate> updates = cluster.Grains.GetGrain<IReplicaGrain>(lately[0].Id.ToString())
            .GenerateAsync(filled, SessionCalls.Spec, [], cancellationToken: TestCluster.Cancelled).GetAsyncEnumerator(TestCluster.Cancelled))
        {
            Assert.True(await updates.MoveNextAsync());
            for (int seed = 0; seed < 10; seed++)
            {
                // Lately it was the roomier one.
                ReplicaStatus[] known = [lately[0], lately[1] with { Running = 1 }];
                Assert.Equal(lately[1].Id, await ReplicaChoice.ChooseAsync(cluster.Grains, known, new Random(seed), TimeProvider.System));
            }

            gate.Release(1000);
        }
    }

    [Fact]
    public async Task ChooseAsync_ReplicaThatDoesNotAnswer_TakesTheOther()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 1);
        ReplicaStatus answers = (await cluster.ReadyAsync("toy", 1))[0];
        ReplicaStatus silent = answers with { Id = new ReplicaId("unknown", 0) };
        Assert.Equal(answers.Id, await ReplicaChoice.ChooseAsync(cluster.Grains, [answers with { Running = 1 }, silent], new Random(1), TimeProvider.System));
    }

    [Fact]
    public void ByRoom_CrowdOfTwoReplicas_IsSharedByTheirRoom()
    {
        ReplicaStatus[] replicas = [Status(0, running: 8), Status(1, running: 4), Status(2, running: 0, state: ReplicaState.Loading)];
        var random = new Random(1);
        int[] first = [.. Enumerable.Range(0, 1000).Select(_ => ReplicaChoice.ByRoom(replicas, random)[0].Id.Index)];
        Assert.InRange(first.Count(index => index == 0), 200, 300);
        Assert.InRange(first.Count(index => index == 1), 700, 800);
    }

    [Fact]
    public void ByRoom_OneIsFull_IsStillThere()
    {
        ReplicaStatus[] replicas = [Status(0, running: 40), Status(1, running: 0)];
        Assert.Equal([0, 1], ReplicaChoice.ByRoom(replicas, new Random(1)).Select(replica => replica.Id.Index).Order());
    }

    [Fact]
    public async Task ChooseFromCrowdAsync_ReplicaThatDoesNotAnswer_TakesTheOther()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 1);
        ReplicaStatus answers = (await cluster.ReadyAsync("toy", 1))[0];
        ReplicaStatus silent = answers with { Id = new ReplicaId("unknown", 0), SlotsTotal = 1000 };
        Assert.Equal(answers.Id, await ReplicaChoice.ChooseFromCrowdAsync(cluster.Grains, [answers with { Running = 1 }, silent], new Random(1), TimeProvider.System));
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
