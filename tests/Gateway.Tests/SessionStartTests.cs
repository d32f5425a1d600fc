using IgptCluster.Contracts;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Sessions.Storage;
using IgptCluster.Grains.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Gateway.Tests;

/// <summary>What a call that cannot start all its sessions leaves behind: nothing.</summary>
public sealed class SessionStartTests
{
    static CancellationToken Cancelled => TestCluster.Cancelled;

    static GenerationSpec Lasting => SessionCalls.Spec with { TimeToLive = TimeSpan.FromMinutes(5) };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task StartAllAsync_SomeDoNotFit_LeavesNoneAndTheDeviceIsFree(bool hasOperation)
    {
        using var steps = new SemaphoreSlim(0);
        var model = new FakeModel { Slots = 2, MaxWaiting = 22, Storage = new FakeSessionStorage(), BeforeStep = _ => steps.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        SessionStarts starts = await StartsAsync(cluster);
        await starts.StartAllAsync(Ids("first", 14), Specs(14), Cancelled);
        SessionId[] ids = hasOperation ? Ids("second", 20) : [.. Enumerable.Range(0, 20).Select(_ => SessionId.New())];
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => starts.StartAllAsync(ids, Specs(20), Cancelled));
        Assert.Equal(IgptErrorCode.Overloaded, refused.Code);
        Assert.All(ids, id => Assert.Equal(IgptErrorCode.SessionNotFound, Assert.ThrowsAsync<IgptException>(() => Session(cluster, id).GetAsync()).Result.Code));
        steps.Release(3);
        await TestCluster.UntilAsync("only the first call's are in flight", async () => await cluster.StatusAsync(new ReplicaId("toy", 0)) is var now && now.Running + now.Waiting == 14);
        Assert.Equal(14, model.Storage!.Count);
        Assert.Equal(14, (await Catalog(cluster).ListAsync(_ => true, 100, Cancelled)).Count);
        steps.Release(100_000);
    }

    [Fact]
    public async Task StartAllAsync_MoreThanAReplicaEverTakes_IsRefusedByTheRule()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Slots = 2, MaxWaiting = 8 });
        SessionStarts starts = await StartsAsync(cluster);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => starts.StartAllAsync(Ids("many", 11), Specs(11), Cancelled));
        Assert.Equal((IgptErrorCode.InvalidArgument, "samples"), (refused.Code, refused.Field));
        Assert.Contains("at most 10 sequences", refused.Message, StringComparison.Ordinal);
        Assert.Contains("given 11", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartAllAsync_StoreTakesTheFirstWriteAndDoesNotAnswer_NothingAppearsLater()
    {
        var storage = new FakeSessionStorage();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = storage });
        SessionStarts starts = await StartsAsync(cluster);
        storage.AfterWrite = () => throw new TimeoutException("no answer");
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => starts.StartAllAsync(Ids("lost", 3), Specs(3), Cancelled));
        Assert.Equal(IgptErrorCode.StoreUnavailable, refused.Code);
        storage.AfterWrite = () => { };
        await TestCluster.UntilAsync("nothing is stored", () => Task.FromResult(storage.Count == 0));
        Assert.Empty(await Catalog(cluster).ListAsync(_ => true, 100, Cancelled));

        // The same operation, tried again, starts afresh.
        await TestCluster.UntilAsync("it can be tried again", async () =>
        {
            try
            {
                await starts.StartAllAsync(Ids("lost", 3), Specs(3), Cancelled);
                return true;
            }
            catch (IgptException away) when (away.Code == IgptErrorCode.StoreUnavailable)
            {
                return false;
            }
        });
        (int[] tokens, SessionResult? result) = await SessionCalls.ReadAsync(Session(cluster, Ids("lost", 1)[0]), SessionCalls.Prompt.Length);
        Assert.Equal((61, SessionEnd.Completed), (tokens.Length, result!.End));
    }

    [Fact]
    public async Task ForkAsync_StoreTakesTheFirstWriteAndDoesNotAnswer_NothingAppearsLater()
    {
        var storage = new FakeSessionStorage();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = storage });
        SessionStarts starts = await StartsAsync(cluster);
        SessionId parent = Ids("parent", 1)[0], child = SessionId.New();
        await starts.StartAllAsync([parent], Specs(1), Cancelled);
        await SessionCalls.ReadAsync(Session(cluster, parent), SessionCalls.Prompt.Length);
        storage.AfterWrite = () => throw new TimeoutException("no answer");
        await Assert.ThrowsAsync<IgptException>(() => starts.ForkAsync(parent, child, new SessionBranch { Position = 10 }));
        storage.AfterWrite = () => { };
        await TestCluster.UntilAsync("only the parent is stored", () => Task.FromResult(storage.Count == 1));
        Assert.Equal(parent, Assert.Single(await Catalog(cluster).ListAsync(_ => true, 100, Cancelled)).Id);
    }

    [Fact]
    public async Task WithdrawAsync_AnotherCallOfTheOperationHasJoined_LeavesTheSession()
    {
        using var steps = new SemaphoreSlim(0);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = new FakeSessionStorage(), BeforeStep = _ => steps.Wait(Cancelled) });
        ReplicaId replica = (await cluster.ReadyAsync("toy", 1))[0].Id;
        ISessionGrain session = Session(cluster, SessionId.New());
        Guid lost = Guid.NewGuid(), second = Guid.NewGuid();
        await session.StartAsync(Lasting, replica, lost);
        Assert.False(await session.StartAsync(Lasting, replica, second));
        await session.WithdrawAsync(lost);
        Assert.Equal(SessionCalls.Prompt.Length, (await session.GetAsync()).Position);
        await session.WithdrawAsync(second);
        Assert.Equal(IgptErrorCode.SessionNotFound, (await Assert.ThrowsAsync<IgptException>(session.GetAsync)).Code);
        steps.Release(1000);
    }

    static async Task<SessionStarts> StartsAsync(TestCluster cluster)
    {
        await cluster.ReadyAsync("toy", 1);
        var models = new ModelDirectory(cluster.Grains, ServicesOf(cluster).GetRequiredService<ClusterView>(), TimeProvider.System);
        return new SessionStarts(cluster.Grains, models, new ReplicaCalls(models, TimeProvider.System), TimeProvider.System, NullLogger<SessionStarts>.Instance);
    }

    static IServiceProvider ServicesOf(TestCluster cluster) => cluster.Silos.Silos[0].ServiceProvider;

    static SessionCatalog Catalog(TestCluster cluster) => ServicesOf(cluster).GetRequiredService<SessionCatalog>();

    static SessionId[] Ids(string operation, int count) => [.. Enumerable.Range(0, count).Select(sample => SessionIds.Of($"operation-{operation}", sample))];

    static GenerationSpec[] Specs(int count) => [.. Enumerable.Range(0, count).Select(sample => Lasting with { Sample = sample })];

    static ISessionGrain Session(TestCluster cluster, SessionId id) => cluster.Grains.GetGrain<ISessionGrain>(id.ToString());
}
