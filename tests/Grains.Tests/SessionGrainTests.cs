using IgptCluster.Contracts;
using IgptCluster.Engine.Runner;
using IgptCluster.Tests.Shared;
using static IgptCluster.Grains.Tests.SessionCalls;

namespace IgptCluster.Grains.Tests;

public sealed class SessionGrainTests
{
    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task ReadAsync_NewSession_GivesEveryTokenOnceAndTheResultLast()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec);
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), tokens);
        Assert.Equal(SessionEnd.Completed, result!.End);
        Assert.Equal(SessionStatus.Finished, (await session.GetAsync()).State);
    }

    [Fact]
    public async Task ReadAsync_FromAPositionAfterTheEnd_ReplaysFromThere()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ISessionGrain session = await StartAsync(cluster, Spec with { EndPosition = 20 });
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
        ISessionGrain session = await StartAsync(cluster, Spec);
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
        ISessionGrain session = await StartAsync(cluster, Spec with { EndPosition = 10_000, Width = 100, Height = 100 });
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (SessionUpdate _ in session.ReadAsync(Prompt.Length, cancellationToken: leaving.Token))
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
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await foreach (SessionUpdate _ in session.ReadAsync(Prompt.Length, cancellationToken: Cancelled))
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
        ISessionGrain session = await StartAsync(cluster, Spec with { TimeToLive = TimeSpan.FromMinutes(5) });
        await TestCluster.UntilAsync("five tokens", async () => (await session.GetAsync()).Position == Prompt.Length + 5);
        Assert.Equal(SessionStatus.Paused, (await session.PauseAsync()).State);
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
        ISessionGrain session = await StartAsync(cluster, Spec);
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
        await StartAsync(cluster, Spec);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => StartAsync(cluster, Spec, "second"));
        Assert.Equal(IgptErrorCode.Overloaded, refused.Code);
        Assert.True(refused.RetryAfter > TimeSpan.Zero);
        IgptException unknown = await Assert.ThrowsAsync<IgptException>(() => cluster.Grains.GetGrain<ISessionGrain>("second").GetAsync());
        Assert.Equal(IgptErrorCode.SessionNotFound, unknown.Code);
        gate.Release(1000);
    }

    [Fact]
    public async Task ReadAsync_StepHangs_GoesOnElsewhereAndTheReplicaIsNotReady()
    {
        using var gate = new SemaphoreSlim(0);
        int steps = 0;
        var model = new FakeModel { StepTimeout = TimeSpan.FromSeconds(2), BeforeStep = Hang };
        await using TestCluster cluster = await TestCluster.StartAsync(model, devices: 2);
        ISessionGrain session = await StartAsync(cluster, Spec);
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), tokens);
        Assert.InRange(result!.Timings.Resumptions, 1, 3);

        // The engine that hung is replaced; its thread is let go in the end.
        await cluster.ReadyAsync("toy", 2);
        gate.Release();

        void Hang(StepPlan plan)
        {
            if (Interlocked.Increment(ref steps) == 5)
            {
                gate.Wait(Cancelled);
            }
        }
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
        ISessionGrain session = await StartAsync(cluster, Spec);
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

    [Fact]
    public async Task CancelAsync_WhileItIsBeingQueued_EndsItAndFreesItsSlot()
    {
        using var gate = new SemaphoreSlim(2);
        using var queueing = new Barrier();
        FakeModel model = Endless(gate);
        model.BeforeSessionCall = queueing.HoldAsync;
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        Task<ISessionGrain> starting = StartAsync(cluster, EndlessSpec);
        await queueing.ReachedAsync();
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("first");
        Assert.Equal(SessionEnd.Cancelled, (await session.CancelAsync()).Result!.End);
        queueing.Open();
        await starting;
        await NothingRunsAsync(cluster, gate);
        Assert.Equal(SessionStatus.Finished, (await session.GetAsync()).State);
        Assert.Equal(SessionEnd.Cancelled, (await ReadAsync(session, Prompt.Length)).Result!.End);
    }

    [Fact]
    public async Task PauseAsync_WhileItIsTakenUpAgain_PausesItAndFreesItsSlot()
    {
        using var gate = new SemaphoreSlim(2);
        using var queueing = new Barrier();
        FakeModel model = Endless(gate);
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, EndlessSpec);
        await session.PauseAsync();
        await NothingRunsAsync(cluster, gate);
        model.BeforeSessionCall = queueing.HoldAsync;
        Task<(int[] Tokens, SessionResult? Result)> reading = ReadAsync(session, Prompt.Length);
        await queueing.ReachedAsync();
        await session.PauseAsync();
        queueing.Open();
        await NothingRunsAsync(cluster, gate);
        Assert.Equal(SessionStatus.Paused, (await session.GetAsync()).State);
        await session.CancelAsync();
        Assert.Equal(SessionEnd.Cancelled, (await reading).Result!.End);
    }

    [Fact]
    public async Task ReadAsync_TwoViewersOfAPausedSessionThatCannotGoOn_BothAreTold()
    {
        using var gate = new SemaphoreSlim(2);
        using var asking = new SemaphoreSlim(0);
        using var answer = new SemaphoreSlim(0);
        FakeModel model = Endless(gate);
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, EndlessSpec);
        await session.PauseAsync();
        await NothingRunsAsync(cluster, gate);
        int viewers = 0;
        model.BeforeSessionCall = async call =>
        {
            viewers += IsCall<ISessionGrain>(call) && call.MethodName == Enumeration ? 1 : 0;
            if (IsCall<IModelGrain>(call))
            {
                asking.Release();
                await answer.WaitAsync(Cancelled);
                throw new IgptException(IgptErrorCode.NoReplica, "none today");
            }
        };
        Task<(int[] Tokens, SessionResult? Result)>[] readings = [ReadAsync(session, Prompt.Length), ReadAsync(session, Prompt.Length)];
        await asking.WaitAsync(Cancelled);
        await TestCluster.UntilAsync("both have attached", () => Task.FromResult(Volatile.Read(ref viewers) == 2));
        Assert.Equal(SessionStatus.Paused, (await session.GetAsync()).State);
        answer.Release(2);
        foreach (Task<(int[] Tokens, SessionResult? Result)> reading in readings)
        {
            IgptException failure = await Assert.ThrowsAsync<IgptException>(() => reading.WaitAsync(Cancelled));
            Assert.Equal("none today", failure.Message);
        }
    }

    [Fact]
    public async Task ReadAsync_AttachesWhileALostReplicaIsReplaced_WaitsAndGetsEveryToken()
    {
        int steps = 0;
        int asked = 0;
        bool isRefused = true;
        var model = new FakeModel
        {
            BeforeStep = _ =>
            {
                if (Interlocked.Increment(ref steps) == 10)
                {
                    throw new InvalidOperationException("device lost");
                }
            },
            BeforeSessionCall = call =>
            {
                if (IsCall<IModelGrain>(call) && Interlocked.Increment(ref asked) > 0 && Volatile.Read(ref isRefused))
                {
                    throw new IgptException(IgptErrorCode.NoReplica, "none yet");
                }

                return Task.CompletedTask;
            },
        };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, Spec);
        await TestCluster.UntilAsync("the session asks for another replica", () => Task.FromResult(Volatile.Read(ref asked) > 0));
        Task<(int[] Tokens, SessionResult? Result)> reading = ReadAsync(session, Prompt.Length);
        await TestCluster.UntilAsync("it has asked again", () => Task.FromResult(Volatile.Read(ref asked) > 2));
        Volatile.Write(ref isRefused, false);
        Assert.Equal(FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61), (await reading).Tokens);
    }

    [Theory]
    [InlineData(false, SessionStatus.Finished)]
    [InlineData(true, SessionStatus.Paused)]
    public async Task AbandonAsync_AnotherViewerWatches_ActsOnlyOnceThatHasLeft(bool hasTimeToLive, SessionStatus left)
    {
        using var gate = new SemaphoreSlim(2);
        FakeModel model = Endless(gate);
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, EndlessSpec with { TimeToLive = hasTimeToLive ? TimeSpan.FromMinutes(5) : default });
        IAsyncEnumerator<SessionUpdate> creator = session.ReadAsync(Prompt.Length, cancellationToken: Cancelled).GetAsyncEnumerator(Cancelled);
        IAsyncEnumerator<SessionUpdate> other = session.ReadAsync(Prompt.Length, cancellationToken: Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await creator.MoveNextAsync() && await other.MoveNextAsync());
        await creator.DisposeAsync();
        await session.AbandonAsync(pause: true);
        Assert.Equal(SessionStatus.Running, (await session.GetAsync()).State);
        await other.DisposeAsync();
        await session.AbandonAsync(pause: true);
        Assert.Equal(left, (await session.GetAsync()).State);
        await NothingRunsAsync(cluster, gate);
    }

    const string Enumeration = "StartEnumeration<T>";

    static bool IsCall<TGrain>(IIncomingGrainCallContext call) => call.TargetContext.GrainInstance is TGrain;

    /// <summary>Holds sessions' calls that queue a generation on a replica.</summary>
    sealed class Barrier : IDisposable
    {
        readonly SemaphoreSlim _reached = new(0);
        readonly SemaphoreSlim _open = new(0);

        public async Task HoldAsync(IIncomingGrainCallContext call)
        {
            if (IsCall<IReplicaGrain>(call) && call.MethodName == Enumeration)
            {
                _reached.Release();
                await _open.WaitAsync(Cancelled);
            }
        }

        public Task ReachedAsync() => _reached.WaitAsync(Cancelled);

        public void Open() => _open.Release(1000);

        public void Dispose()
        {
            _reached.Dispose();
            _open.Dispose();
        }
    }

    // Too long to end by itself: one step is let through each time the slot is looked at, and only a cancelled generation gives it back.
    static FakeModel Endless(SemaphoreSlim gate) =>
        new() { Shape = FakeModelRunner.SmallShape with { PositionCount = 10_000 }, BeforeStep = _ => gate.Wait(Cancelled) };

    static GenerationSpec EndlessSpec => Spec with { EndPosition = 10_000, Width = 100, Height = 100, TimeToLive = TimeSpan.FromMinutes(5) };

    static Task NothingRunsAsync(TestCluster cluster, SemaphoreSlim gate) => TestCluster.UntilAsync("the slot is free", async () =>
    {
        gate.Release();
        return (await cluster.StatusAsync(new ReplicaId("toy", 0))) is { SlotsUsed: 0, Waiting: 0 };
    });
}
