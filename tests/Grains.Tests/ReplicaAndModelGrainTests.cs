using IgptCluster.Contracts;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Grains.Tests;

public sealed class ReplicaAndModelGrainTests
{
    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task GetReplicasAsync_SilosWithAndWithoutDevices_PutsOneReplicaOnEachDevice()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2, gateways: 1);
        ReplicaStatus[] toys = await cluster.ReadyAsync("toy", 2);
        ReplicaStatus[] others = await cluster.ReadyAsync("other", 2);
        Assert.Equal(2, toys.Select(replica => replica.Silo).Distinct().Count());
        Assert.Equal(2, others.Select(replica => replica.Silo).Distinct().Count());
        Assert.All(toys, replica => Assert.Equal("v1", replica.ModelVersion));
    }

    [Fact]
    public async Task GetReplicasAsync_SiloDies_ItsReplicaIsForgotten()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 3);
        await cluster.ReadyAsync("toy", 3);
        await cluster.Silos.StopSiloAsync(cluster.Silos.Silos[2], Cancelled);
        await TestCluster.UntilAsync("one replica on each silo left", async () =>
        {
            ReplicaStatus[] left = await cluster.ReadyAsync("toy", 2);
            return left.Select(replica => replica.SiloAddress).Distinct().Count() == 2;
        });
    }

    [Fact]
    public async Task GetReplicasAsync_UnknownModel_NamesTheKnownOnes()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        IgptException unknown = await Assert.ThrowsAsync<IgptException>(() => cluster.Grains.GetGrain<IModelGrain>("nothing").GetReplicasAsync());
        Assert.Equal(IgptErrorCode.ModelNotFound, unknown.Code);
        Assert.Contains("'toy', 'other'", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EvaluateAsync_EachKind_ComputesItPerImage()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        IReplicaGrain replica = await ReplicaAsync(cluster);
        int[][] images = [[1, 2, 3], [4, 5, 6, 7]];
        EvaluationResult embedded = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Embed, Layer = 2 }, Cancelled);
        Assert.Equal([6f, 16.5f], embedded.Rows.Select(row => row[0]));
        EvaluationResult scored = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Score }, Cancelled);
        Assert.Equal([3, 4], scored.Rows.Select(row => row.Length));
        Assert.Equal(-FakeModelRunner.LogitsAfter([16], 16)[4], scored.Rows[1][0]);
        EvaluationResult classified = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Classify }, Cancelled);
        EvaluationResult pooled = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Embed, Layer = 1 }, Cancelled);
        float[] features = pooled.Rows[0];
        Assert.Equal(-features[0] + features[2] - features[3] + 0.5f, classified.Rows[0][0], 1e-4f);
    }

    [Fact]
    public async Task EvaluateAsync_UnknownHeadOrLayer_NamesRuleAndValue()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        IReplicaGrain replica = await ReplicaAsync(cluster);
        IgptException head = await Assert.ThrowsAsync<IgptException>(() => replica.EvaluateAsync(
            new EvaluationSpec { Images = [[1]], Kind = EvaluationKind.Classify, Head = "colour" }, Cancelled));
        Assert.Equal(IgptErrorCode.HeadNotFound, head.Code);
        Assert.Contains("'colour'; it has 'parity'", head.Message, StringComparison.Ordinal);
        IgptException layer = await Assert.ThrowsAsync<IgptException>(() => replica.EvaluateAsync(
            new EvaluationSpec { Images = [[1]], Kind = EvaluationKind.Embed, Layer = 9 }, Cancelled));
        Assert.Equal(IgptErrorCode.InvalidArgument, layer.Code);
        IgptException token = await Assert.ThrowsAsync<IgptException>(() => replica.EvaluateAsync(
            new EvaluationSpec { Images = [[1], [99]], Kind = EvaluationKind.Score }, Cancelled));
        Assert.Contains("given 99 at position 0", token.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EvaluateAsync_MoreImagesThanSlotsAndQueueHold_IsAnErrorThatNoRetryWouldCure()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Slots = 1, MaxWaiting = 2 });
        IReplicaGrain replica = await ReplicaAsync(cluster);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => replica.EvaluateAsync(
            new EvaluationSpec { Images = [[1], [2], [3], [4]], Kind = EvaluationKind.Score }, Cancelled));
        Assert.Equal((IgptErrorCode.InvalidArgument, "images"), (refused.Code, refused.Field));
        Assert.Contains("at most 3 images at a time", refused.Message, StringComparison.Ordinal);
        Assert.Equal(3, (await replica.EvaluateAsync(new EvaluationSpec { Images = [[1], [2], [3]], Kind = EvaluationKind.Score }, Cancelled)).Rows.Length);
    }

    [Fact]
    public async Task EvaluateAsync_CallerGivesUp_FreesTheSlots()
    {
        using var gate = new SemaphoreSlim(0);
        using var entered = new SemaphoreSlim(0);
        var model = new FakeModel
        {
            BeforeStep = _ =>
            {
                entered.Release();
                gate.Wait(Cancelled);
            },
        };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        IReplicaGrain replica = await ReplicaAsync(cluster);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task<EvaluationResult> call = replica.EvaluateAsync(new EvaluationSpec { Images = [[1, 2], [3]], Kind = EvaluationKind.Score }, leaving.Token);
        await entered.WaitAsync(Cancelled);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        gate.Release(1000);
        await TestCluster.UntilAsync("all slots are free", async () => (await replica.GetStatusAsync()) is { SlotsUsed: 0, Waiting: 0 });
    }

    [Fact]
    public async Task GetStatusAsync_WorkWaiting_CountsRunningAndWaiting()
    {
        using var gate = new SemaphoreSlim(0);
        var model = new FakeModel { Slots = 1, BeforeStep = _ => gate.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        IReplicaGrain replica = await ReplicaAsync(cluster);
        Task<EvaluationResult> call = replica.EvaluateAsync(new EvaluationSpec { Images = [[1], [2], [3]], Kind = EvaluationKind.Score }, Cancelled);
        await TestCluster.UntilAsync("three sequences are queued", async () => await replica.GetStatusAsync() is var status && status.Running + status.Waiting == 3);
        gate.Release(1000);
        Assert.Equal(3, (await call).Rows.Length);
    }

    static async Task<IReplicaGrain> ReplicaAsync(TestCluster cluster) =>
        cluster.Grains.GetGrain<IReplicaGrain>((await cluster.ReadyAsync("toy", 1))[0].Id.ToString());
}
