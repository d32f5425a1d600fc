using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using IgptCluster.Tests.Shared;
using Orleans.Core.Internal;
using static IgptCluster.Grains.Tests.SessionCalls;

namespace IgptCluster.Grains.Tests;

/// <summary>Sessions with storage: what is delivered is stored before, and outlives activations and silos.</summary>
public sealed class DurableSessionTests
{
    static readonly int[] Undisturbed = FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61);

    readonly FakeSessionStorage _storage = new();

    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task ReadAsync_EveryUpdate_IsStoredBeforeItIsDelivered()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        ISessionGrain session = await StartAsync(cluster, Spec);
        var tokens = new List<int>();
        await foreach (SessionUpdate update in session.ReadAsync(Prompt.Length, cancellationToken: Cancelled))
        {
            tokens.AddRange(update.Tokens);
            SessionRecord stored = _storage.Single;
            Assert.Equal(tokens, stored.Unpack()[..tokens.Count]);
            Assert.Equal(update.Result?.End, update.Result is null ? null : stored.Result?.End);
        }

        Assert.Equal(Undisturbed, tokens);
    }

    [Fact]
    public async Task ReadAsync_WriteTakesLong_DeliversNothingUntilItHasEnded()
    {
        // No token is made before the call that starts the session was answered: it would wait for the token's write, too.
        using var gate = new ManualResetEventSlim();
        var stored = new TaskCompletionSource();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec);
        _storage.BeforeWrite = _ => stored.Task;
        gate.Set();
        IAsyncEnumerator<SessionUpdate> viewer = session.ReadAsync(Prompt.Length, cancellationToken: Cancelled).GetAsyncEnumerator(Cancelled);
        Task<bool> first = viewer.MoveNextAsync().AsTask();
        await TestCluster.UntilAsync("the generation has ended", async () => (await cluster.StatusAsync(new ReplicaId("toy", 0))).SlotsUsed == 0);
        Assert.Equal(Prompt.Length, (await session.GetAsync()).Position);
        Assert.False(first.IsCompleted);
        stored.SetResult();
        Assert.True(await first);
        await viewer.DisposeAsync();
    }

    [Fact]
    public async Task ReadAsync_StoreIsAwayForAWhile_WaitsAndLosesNothing()
    {
        int writes = 0;
        _storage.BeforeWrite = _ => ++writes is > 1 and < 5 ? throw new IOException("no store") : Task.CompletedTask;
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        Assert.Equal(Undisturbed, (await ReadAsync(await StartAsync(cluster, Spec), Prompt.Length)).Tokens);
        Assert.True(writes > 5);
    }

    [Fact]
    public async Task ReadAsync_WriteIsCarriedOutButNotAnswered_IsTheActivationsOwn()
    {
        int writes = 0;
        _storage.AfterWrite = () => _ = ++writes is > 1 and < 4 ? throw new TimeoutException("no answer") : 0;
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        (int[] tokens, SessionResult? result) = await ReadAsync(await StartAsync(cluster, Spec), Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        Assert.Equal(0, result!.Timings.Resumptions);
        Assert.True(writes > 4);
    }

    [Fact]
    public async Task ReadAsync_StoreIsAwayAfterARestoration_WaitsAndLosesNothing()
    {
        using var gate = new SemaphoreSlim(10);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("some tokens", async () => (await session.GetAsync()).Position > Prompt.Length);
        await LoseAsync(session);
        int writes = 0;
        _storage.BeforeWrite = _ => ++writes < 4 ? throw new IOException("no store") : Task.CompletedTask;
        gate.Release(1000);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
        Assert.True(writes >= 4);
    }

    [Fact]
    public async Task StartAsync_StoreIsAway_RefusesAndKeepsNothing()
    {
        _storage.BeforeWrite = _ => throw new IOException("no store");
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => StartAsync(cluster, Spec));
        Assert.Equal(IgptErrorCode.StoreUnavailable, refused.Code);
        Assert.NotNull(refused.RetryAfter);
        await TestCluster.UntilAsync("the slot is free", async () => (await cluster.StatusAsync(new ReplicaId("toy", 0))).SlotsUsed == 0);
        Assert.Equal(0, _storage.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    public async Task GetAsync_ActivationLost_GoesOnFromStorage(int steps)
    {
        using var gate = new SemaphoreSlim(1 + steps);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("some tokens", async () => (await session.GetAsync()).Position > Prompt.Length + (steps * 3 / 4));
        int seen = (await session.GetAsync()).Position;
        await LoseAsync(session);
        Assert.InRange((await session.GetAsync()).Position, seen, 64);
        gate.Release(1000);
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        Assert.Equal(1, result!.Timings.Resumptions);
    }

    [Fact]
    public async Task ReadAsync_SiloKilled_GoesOnOnAnother()
    {
        using var gate = new SemaphoreSlim(20);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) }, devices: 2, gateways: 1);
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("some tokens", async () => (await session.GetAsync()).Position > 10);
        SiloAddress home = (await cluster.Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(null, null, Cancelled)).Single(grain => grain.GrainId == session.GetGrainId()).SiloAddress;
        await cluster.Silos.KillSiloAsync(cluster.Silos.Silos.Single(silo => silo.SiloAddress.Equals(home)), Cancelled);
        gate.Release(10_000);
        await TestCluster.UntilAsync("the session has finished elsewhere", async () => (await session.GetAsync()).Result?.End == SessionEnd.Completed);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
    }

    [Fact]
    public async Task GetAsync_PausedAndLost_RestsUntilItIsRead()
    {
        using var gate = new SemaphoreSlim(5);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("five tokens", async () => (await session.GetAsync()).Position == Prompt.Length + 5);
        await session.PauseAsync();
        gate.Release(1000);
        await LoseAsync(session);
        SessionDescription restored = await session.GetAsync();
        Assert.Equal((SessionStatus.Paused, Prompt.Length + 5), (restored.State, restored.Position));
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
    }

    [Theory]
    [InlineData(true, SessionStatus.Paused)]
    [InlineData(false, SessionStatus.Finished)]
    public async Task PauseOrCancelAsync_FirstCallOfAnActivation_HoldsAlthoughItWasGoingOn(bool isPause, SessionStatus held)
    {
        int asked = 0;
        var model = new FakeModel { Storage = _storage };
        model.BeforeSessionCall = call =>
        {
            asked += call.TargetContext.GrainInstance is IModelGrain ? 1 : 0;
            return Task.CompletedTask;
        };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        await cluster.ReadyAsync("toy", 1);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("stored");
        _storage.Put(session.GetGrainId(), new SessionRecord { Spec = Spec with { TimeToLive = TimeSpan.FromMinutes(5) }, Tokens = SessionRecord.Pack(Undisturbed.AsSpan(0, 5)) });
        await (isPause ? session.PauseAsync() : session.CancelAsync());
        for (int turn = 0; turn < 100; turn++)
        {
            // Turns in which it could look for a replica.
            SessionDescription now = await session.GetAsync();
            Assert.Equal((held, Prompt.Length + 5), (now.State, now.Position));
        }

        Assert.Equal(0, asked);
        Assert.Equal((isPause, !isPause), (_storage.Single.IsPaused, _storage.Single.Result is not null));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_AllTokensStoredButNotItsEnd_Ends(bool isPaused)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        await cluster.ReadyAsync("toy", 1);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("stored");
        _storage.Put(session.GetGrainId(), new SessionRecord { Spec = Spec with { TimeToLive = TimeSpan.FromMinutes(5) }, Tokens = SessionRecord.Pack(Undisturbed), IsPaused = isPaused });
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        Assert.Equal(SessionEnd.Completed, result!.End);
    }

    [Fact]
    public async Task ReadAsync_FinishedAndLost_ReplaysAll()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        ISessionGrain session = await StartAsync(cluster, Spec);
        SessionResult? first = (await ReadAsync(session, Prompt.Length)).Result;
        await LoseAsync(session);
        (int[] tokens, SessionResult? again) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        Assert.Equal(first, again);
    }

    [Fact]
    public async Task ReadAsync_AnotherActivationHasWritten_ThisOneStopsAndTheNextGoesOn()
    {
        using var gate = new SemaphoreSlim(5);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => gate.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("five tokens", async () => (await session.GetAsync()).Position == Prompt.Length + 5);
        Task<(int[] Tokens, SessionResult? Result)> viewer = ReadAsync(session, Prompt.Length);
        await TestCluster.UntilAsync("the viewer is there", async () => (await session.GetAsync()).Expires is null);
        _storage.Touch();
        gate.Release(1000);

        // Its session ends under the viewer, which learns that from it or, if it has left the memory by then, from Orleans.
        var lost = await Assert.ThrowsAnyAsync<Exception>(() => viewer);
        Assert.True(lost is OrleansException or EnumerationAbortedException, lost.ToString());
        await TestCluster.UntilAsync("the next activation ends it", async () => (await session.GetAsync()).Result is not null);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
    }

    [Fact]
    public async Task Expiry_NobodyWatches_RemovesWhatIsStored()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Storage = _storage });
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMilliseconds(1) });
        await TestCluster.UntilAsync("nothing is stored", () => Task.FromResult(_storage.Count == 0));
        IgptException gone = await Assert.ThrowsAsync<IgptException>(session.GetAsync);
        Assert.Equal(IgptErrorCode.SessionNotFound, gone.Code);
    }

    [Fact]
    public void Pack_Tokens_UnpackToTheSame()
    {
        int[] tokens = [0, 1, 255, 256, 511, 65_535];
        byte[] packed = SessionRecord.Pack(tokens);
        Assert.Equal(2 * tokens.Length, packed.Length);
        Assert.Equal(tokens, new SessionRecord { Tokens = packed }.Unpack());
    }

    /// <summary>Ends the activation; the next one is there when it returns.</summary>
    async Task LoseAsync(ISessionGrain session)
    {
        int before = _storage.Reads;
        await session.Cast<IGrainManagementExtension>().DeactivateOnIdle();
        await TestCluster.UntilAsync("there is another activation", async () =>
        {
            await session.GetAsync();
            return _storage.Reads > before;
        });
    }
}
