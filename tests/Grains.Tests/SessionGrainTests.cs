using IgptCluster.Contracts;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Grains.Tests;

public sealed class SessionGrainTests
{
    static readonly int[] Prompt = [1, 2, 3];

    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task ReadAsync_NewSession_GivesEveryTokenOnceAndTheResultLast()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec());
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), tokens);
        Assert.Equal(SessionEnd.Completed, result!.End);
        Assert.Equal(SessionState.Finished, (await session.GetAsync()).State);
    }

    [Fact]
    public async Task ReadAsync_FromAPositionAfterTheEnd_ReplaysFromThere()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec() with { EndPosition = 20 });
        (int[] all, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        (int[] tail, _) = await ReadAsync(session, 15);
        Assert.Equal(SessionEnd.Length, result!.End);
        Assert.Equal(all[(15 - Prompt.Length)..], tail);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => ReadAsync(session, 21));
        Assert.Equal(IgptErrorCode.InvalidArgument, refused.Code);
    }

    [Fact]
    public async Task ReadAsync_ManyViewersAtOnce_AllSeeTheSame()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec());
        var views = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ReadAsync(session, Prompt.Length)));
        Assert.All(views, view => Assert.Equal(views[0].Tokens, view.Tokens));
        Assert.Equal(61, views[0].Tokens.Length);
    }

    [Fact]
    public async Task ReadAsync_LastViewerLeaves_CancelsASessionWithoutTimeToLiveAndFreesItsSlot()
    {
        // Too long to end by itself: one step is let through each time the slot is looked at, and only a cancelled generation gives it back.
        using var gate = new SemaphoreSlim(2);
        var model = new FakeModel { Shape = FakeModelRunner.SmallShape with { PositionCount = 10_000 }, BeforeStep = _ => gate.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, Spec() with { EndPosition = 10_000, Width = 100, Height = 100 });
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (SessionUpdate _ in session.ReadAsync(Prompt.Length, leaving.Token))
            {
                await leaving.CancelAsync();
            }
        });
        await TestCluster.UntilAsync("the session is cancelled", async () => (await session.GetAsync()).Result?.End == SessionEnd.Cancelled);
        await TestCluster.UntilAsync("the slot is free", async () =>
        {
            gate.Release();
            return (await cluster.StatusAsync(new ReplicaId("toy", 0))).SlotsUsed == 0;
        });
    }

    [Fact]
    public async Task ReadAsync_LastViewerLeaves_ASessionWithATimeToLiveGoesOn()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec() with { TimeToLive = TimeSpan.FromMinutes(5) });
        await foreach (SessionUpdate _ in session.ReadAsync(Prompt.Length, Cancelled))
        {
            break;
        }

        await TestCluster.UntilAsync("the session has finished", async () => (await session.GetAsync()).Result?.End == SessionEnd.Completed);
        Assert.NotNull((await session.GetAsync()).Expires);
        Assert.Equal(61, (await ReadAsync(session, Prompt.Length)).Tokens.Length);
    }

    [Fact]
    public async Task PauseAsync_ThenRead_GoesOnWhereItWas()
    {
        using var gate = new SemaphoreSlim(5);
        var model = new FakeModel { BeforeStep = _ => gate.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, Spec() with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("five tokens", async () => (await session.GetAsync()).Position == Prompt.Length + 5);
        Assert.Equal(SessionState.Paused, (await session.PauseAsync()).State);
        gate.Release(1000);
        await TestCluster.UntilAsync("the slot is free", async () => (await cluster.StatusAsync(new ReplicaId("toy", 0))).SlotsUsed == 0);
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), tokens);
        Assert.Equal(1, result!.Timings.Resumptions);
    }

    [Fact]
    public async Task CancelAsync_Twice_EndsItOnce()
    {
        using var gate = new SemaphoreSlim(1);
        var model = new FakeModel { BeforeStep = _ => gate.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, Spec());
        Task<(int[] Tokens, SessionResult? Result)> reading = ReadAsync(session, Prompt.Length);
        await session.CancelAsync();
        SessionDescription again = await session.CancelAsync();
        Assert.Equal(SessionEnd.Cancelled, again.Result!.End);
        Assert.Equal(SessionEnd.Cancelled, (await reading).Result!.End);
        gate.Release(1000);
    }

    [Fact]
    public async Task StartAsync_SlotsAndQueueFull_RefusesWithADelayAndKeepsNothing()
    {
        using var gate = new SemaphoreSlim(0);
        var model = new FakeModel { Slots = 1, MaxWaiting = 0, BeforeStep = _ => gate.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        await StartAsync(cluster, Spec());
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => StartAsync(cluster, Spec(), "second"));
        Assert.Equal(IgptErrorCode.Overloaded, refused.Code);
        Assert.True(refused.RetryAfter > TimeSpan.Zero);
        IgptException unknown = await Assert.ThrowsAsync<IgptException>(() => cluster.Grains.GetGrain<ISessionGrain>("second").GetAsync());
        Assert.Equal(IgptErrorCode.SessionNotFound, unknown.Code);
        gate.Release(1000);
    }

    [Fact]
    public async Task ReadAsync_DeviceFails_GoesOnOnAFreshEngineWithTheSameTokens()
    {
        int steps = 0;
        var model = new FakeModel
        {
            BeforeStep = _ =>
            {
                if (Interlocked.Increment(ref steps) == 10)
                {
                    throw new InvalidOperationException("device lost");
                }
            },
        };
        await using TestCluster cluster = await TestCluster.StartAsync(model, devices: 2);
        await cluster.ReadyAsync("toy", 2);
        ISessionGrain session = await StartAsync(cluster, Spec());
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), tokens);
        Assert.Equal(1, result!.Timings.Resumptions);
        await TestCluster.UntilAsync("a fresh engine", () => Task.FromResult(model.Runners.Count == 3));
        await cluster.ReadyAsync("toy", 2);
    }

    [Fact]
    public async Task GetAsync_NeverStarted_IsNotFound()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        IgptException unknown = await Assert.ThrowsAsync<IgptException>(() => cluster.Grains.GetGrain<ISessionGrain>("nobody").GetAsync());
        Assert.Equal(IgptErrorCode.SessionNotFound, unknown.Code);
        Assert.Contains("nobody", unknown.Message, StringComparison.Ordinal);
    }

    static GenerationSpec Spec() => new()
    {
        Model = "toy",
        Prompt = Prompt,
        EndPosition = 64,
        Width = 8,
        Height = 8,
        Sampling = new SamplingSettings { Temperature = 0, TopK = 0, TopP = 1, Seed = 1 },
    };

    static async Task<ISessionGrain> StartAsync(TestCluster cluster, GenerationSpec spec, string id = "first")
    {
        ReplicaId replica = (await cluster.ReadyAsync("toy", cluster.Silos.Silos.Count))[0].Id;
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>(id);
        await session.StartAsync(spec, replica);
        return session;
    }

    static async Task<(int[] Tokens, SessionResult? Result)> ReadAsync(ISessionGrain session, int from)
    {
        var tokens = new List<int>();
        SessionResult? result = null;
        await foreach (SessionUpdate update in session.ReadAsync(from, Cancelled))
        {
            Assert.Null(result);
            Assert.Equal(from + tokens.Count, update.Position);
            tokens.AddRange(update.Tokens);
            result = update.Result;
        }

        Assert.NotNull(result);
        return ([.. tokens], result);
    }
}
