using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.State;
using IgptCluster.Grains.Sessions.Storage;
using IgptCluster.Tests.Shared;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Core.Internal;
using static IgptCluster.Grains.Tests.SessionCalls;

namespace IgptCluster.Grains.Tests;

/// <summary>Sessions that are forked, rewound, paused, resumed, deleted, and woken.</summary>
public sealed class SessionBranchTests : IDisposable
{
    const string Child = "child";
    static readonly int[] Undisturbed = FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61);

    readonly FakeSessionStorage _storage = new();
    readonly SemaphoreSlim _steps = new(0);

    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task ForkAsync_WhileParentGenerates_SharesThePrefixAndLeavesTheParentAlone()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain parent = await StartAsync(cluster, Lasting);
        await MakeAsync(parent, 20);
        SessionDescription child = await parent.ForkAsync(new SessionId(Child), new SessionBranch { Position = 13, Forced = [new ForcedToken(14, 7)] });
        Assert.Equal((parent.GetPrimaryKeyString(), 13), (child.Parent!.Value.Value, child.Position));
        _steps.Release(1000);
        int[] begun = Undisturbed[..10];
        int[] expected = [.. begun, Undisturbed[10], 7, .. FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, [.. Prompt, .. begun, Undisturbed[10], 7], 49)];
        Assert.Equal(expected, (await ReadAsync(cluster.Grains.GetGrain<ISessionGrain>(Child), Prompt.Length)).Tokens);
        Assert.Equal(Undisturbed, (await ReadAsync(parent, Prompt.Length)).Tokens);
    }

    [Fact]
    public async Task ForkAsync_SameChildAgain_IsTheSameSession()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain parent = await StartAsync(cluster, Lasting);
        await MakeAsync(parent, 20);
        SessionDescription first = await parent.ForkAsync(new SessionId(Child), new SessionBranch { Position = 13, Sampling = new SamplingChange(null, null, null, 5) });
        SessionDescription again = await parent.ForkAsync(new SessionId(Child), new SessionBranch { Position = 15, Sampling = new SamplingChange(null, null, null, 6) });
        Assert.Equal((5UL, first.Created), (again.Spec.Sampling.Seed, again.Created));
        Assert.Equal(2, _storage.Count);
        _steps.Release(1000);
    }

    [Theory]
    [InlineData(2, 10, "at_position")]
    [InlineData(24, 30, "at_position")]
    [InlineData(10, 9, "forced[0].position")]
    public async Task ForkAsync_WhereThereIsNothingToFork_IsRefusedByName(int at, int forced, string field)
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain parent = await StartAsync(cluster, Lasting);
        await MakeAsync(parent, 20);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(
            () => parent.ForkAsync(new SessionId(Child), new SessionBranch { Position = at, Forced = [new ForcedToken(forced, 1)] }));
        Assert.Equal((IgptErrorCode.InvalidArgument, field), (refused.Code, refused.Field));
        _steps.Release(1000);
    }

    [Fact]
    public async Task RewindAsync_Finished_GoesOnFromThereAndKeepsWhatWasBefore()
    {
        await using TestCluster cluster = await StartClusterAsync();
        _steps.Release(1000);
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await ReadAsync(session, Prompt.Length);
        while (_steps.Wait(0, Cancelled))
        {
            // No step is left: the new story does not end before the rewind is answered.
        }

        SessionDescription rewound = await session.RewindAsync(new SessionBranch { Position = 30, Forced = [new ForcedToken(31, 4)] });
        Assert.Equal((1, null), (rewound.Rewinds, rewound.Result));
        _steps.Release(1000);
        int[] kept = Undisturbed[..27];
        int[] next = FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, [.. Prompt, .. kept], 1);
        int[] expected = [.. kept, .. next, 4, .. FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, [.. Prompt, .. kept, .. next, 4], 32)];
        Assert.Equal(expected, (await ReadAsync(session, Prompt.Length)).Tokens);
        Assert.Equal(expected, _storage.Single.Unpack());
    }

    [Fact]
    public async Task RewindAsync_SameOperationAgain_ChangesNothing()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 20);
        var branch = new SessionBranch { Position = 10, Operation = "once" };
        await session.RewindAsync(branch);
        _steps.Release(1000);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
        SessionDescription again = await session.RewindAsync(branch);
        Assert.Equal((1, Prompt.Length + Undisturbed.Length, SessionEnd.Completed), (again.Rewinds, again.Position, again.Result?.End));

        // The store remembers it as well.
        await LoseAsync(session);
        again = await session.RewindAsync(branch);
        Assert.Equal((1, Prompt.Length + Undisturbed.Length, SessionEnd.Completed), (again.Rewinds, again.Position, again.Result?.End));
    }

    [Fact]
    public async Task RewindAsync_Watched_EndsTheViewAndRefusesToJoinTwoStories()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 20);
        Task<(int[] Tokens, SessionResult? Result)> viewer = ReadAsync(session, Prompt.Length);
        await TestCluster.UntilAsync("the viewer is there", async () => (await session.GetAsync()).Expires is null);
        await session.RewindAsync(new SessionBranch { Position = 10, Forced = [new ForcedToken(10, 3)] });
        Assert.Equal(IgptErrorCode.SessionRewound, (await Assert.ThrowsAsync<IgptException>(() => viewer)).Code);
        IAsyncEnumerator<SessionUpdate> late = session.ReadAsync(20, rewinds: 0, Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.Equal(IgptErrorCode.SessionRewound, (await Assert.ThrowsAsync<IgptException>(async () => await late.MoveNextAsync())).Code);
        _steps.Release(1000);
    }

    [Fact]
    public async Task RewindAsync_WriteFromBeforeIsUnderway_ItsEndIsNotTold()
    {
        var underway = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        _storage.BeforeWrite = record =>
        {
            if (record.Result is null || finish.Task.IsCompleted)
            {
                return Task.CompletedTask;
            }

            underway.TrySetResult();
            return finish.Task;
        };
        await using TestCluster cluster = await StartClusterAsync();
        _steps.Release(1000);
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await underway.Task.WaitAsync(Cancelled);
        int committed = Math.Min((await session.GetAsync()).Position, 62);
        Task<SessionDescription> rewinding = session.RewindAsync(new SessionBranch { Position = committed, Forced = [new ForcedToken(63, 9)] });
        finish.SetResult();
        await rewinding;
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal((9, SessionEnd.Completed), (tokens[^1], result!.End));
    }

    [Fact]
    public async Task PauseResumeCancelAsync_OperationsSeenBefore_ChangeNothing()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        Assert.Equal(SessionStatus.Paused, (await session.PauseAsync("p1")).State);
        Assert.NotEqual(SessionStatus.Paused, (await session.ResumeAsync("r1")).State);
        Assert.NotEqual(SessionStatus.Paused, (await session.PauseAsync("p1")).State);
        await session.PauseAsync("p2");
        Assert.Equal(SessionStatus.Paused, (await session.ResumeAsync("r1")).State);
        await session.ResumeAsync("r2");
        _steps.Release(1000);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
        Assert.Equal(SessionEnd.Completed, (await session.CancelAsync("c1")).Result!.End);
    }

    [Fact]
    public async Task PauseAsync_WhileARewindIsBeingStored_StaysPaused()
    {
        var underway = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        _storage.BeforeWrite = record =>
        {
            underway.TrySetResult();
            return record.Rewinds > 0 ? finish.Task : Task.CompletedTask;
        };
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        underway = new TaskCompletionSource();
        Task rewinding = session.RewindAsync(new SessionBranch { Position = Prompt.Length });
        await underway.Task.WaitAsync(Cancelled);
        Task<SessionDescription> pausing = session.PauseAsync();
        await session.GetAsync();
        finish.SetResult();
        await rewinding;
        Assert.Equal(SessionStatus.Paused, (await pausing).State);
        _steps.Release(1000);
        await TestCluster.UntilAsync("the slot is free", async () => (await cluster.StatusAsync(new ReplicaId("toy", 0))) is { SlotsUsed: 0, Waiting: 0 });
        Assert.Equal((SessionStatus.Paused, Prompt.Length), ((await session.GetAsync()).State, (await session.GetAsync()).Position));
    }

    [Fact]
    public async Task ResumeAsync_RefusedAndTriedAgainAsTheSameOperation_GoesOn()
    {
        bool isRefused = true;
        var model = new FakeModel { Storage = _storage, BeforeStep = _ => _steps.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        await session.PauseAsync();
        model.BeforeSessionCall = call => isRefused && call.TargetContext.GrainInstance is IModelGrain ? throw new IgptException(IgptErrorCode.NoReplica, "none today") : Task.CompletedTask;
        await Assert.ThrowsAsync<IgptException>(() => session.ResumeAsync("r1"));
        Assert.Equal(SessionStatus.Paused, (await session.GetAsync()).State);
        isRefused = false;
        Assert.NotEqual(SessionStatus.Paused, (await session.ResumeAsync("r1")).State);
        _steps.Release(1000);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
    }

    [Fact]
    public async Task ResumeAsync_ThenLost_IsTakenUpAgain()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        await session.PauseAsync();
        await session.ResumeAsync();
        Assert.False(_storage.Single.IsPaused);
        _steps.Release(1000);
    }

    [Fact]
    public async Task DeleteAsync_Generating_FreesTheSlotAndLeavesNothing()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        await session.DeleteAsync();
        _steps.Release(1000);
        await TestCluster.UntilAsync("the slot is free", async () => (await cluster.StatusAsync(new ReplicaId("toy", 0))).SlotsUsed == 0);
        Assert.Equal(0, _storage.Count);
        Assert.Empty((await RemindersAsync(cluster, session)).Reminders);
        Assert.Equal(IgptErrorCode.SessionNotFound, (await Assert.ThrowsAsync<IgptException>(session.GetAsync)).Code);
        await session.DeleteAsync();
    }

    [Fact]
    public async Task StartAsync_SameSpecAgain_JoinsAndAnotherIsRefused()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        var replica = new ReplicaId("toy", 0);
        Assert.False(await session.StartAsync(Lasting with { Prompt = [.. Prompt] }, replica));
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => session.StartAsync(Lasting with { Prompt = [1, 2] }, replica));
        Assert.Equal((IgptErrorCode.InvalidArgument, "operation_id"), (refused.Code, refused.Field));
        _steps.Release(1000);
    }

    [Fact]
    public async Task Alarm_WhileItGeneratesAndWhileItRests_IsSetForThat()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        ReminderEntry awake = Assert.Single((await RemindersAsync(cluster, session)).Reminders);
        Assert.Equal(TimeSpan.FromMinutes(1), awake.Period);
        SessionDescription paused = await session.PauseAsync();
        ReminderEntry resting = Assert.Single((await RemindersAsync(cluster, session)).Reminders);
        Assert.True(resting.StartAt >= paused.Expires!.Value.UtcDateTime, $"{resting.StartAt:O} is before the session expires, {paused.Expires:O}");
        Assert.Empty((await RemindersAsync(cluster, await StartAsync(cluster, Spec, "brief"))).Reminders);
        _steps.Release(1000);
    }

    [Fact]
    public async Task ReadAsync_Paused_StoresThatItGoesOnAndSetsTheAlarmForThat()
    {
        await using TestCluster cluster = await StartClusterAsync();
        ISessionGrain session = await StartAsync(cluster, Lasting);
        await MakeAsync(session, 5);
        await session.PauseAsync();
        Assert.True(_storage.Single.IsPaused);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task reading = Record.ExceptionAsync(async () =>
        {
            await foreach (SessionUpdate _ in session.ReadAsync(Prompt.Length, cancellationToken: leaving.Token))
            {
            }
        }).AsTask();
        await TestCluster.UntilAsync("it is stored that it goes on", () => Task.FromResult(!_storage.Single.IsPaused));
        await TestCluster.UntilAsync("its alarm rings while it generates", async () => (await RemindersAsync(cluster, session)).Reminders is [{ } awake] && awake.StartAt < DateTime.UtcNow.AddMinutes(2));
        await leaving.CancelAsync();
        await reading;
        _steps.Release(1000);
    }

    [Fact]
    public async Task Alarm_SessionNobodyCallsAfterItsSiloWasLost_GoesOn()
    {
        await using TestCluster cluster = await StartClusterAsync();
        await cluster.ReadyAsync("toy", 1);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("left");
        _storage.Put(session.GetGrainId(), new SessionRecord { Spec = Lasting, Tokens = SessionRecord.Pack(Undisturbed.AsSpan(0, 5)) });
        _steps.Release(1000);
        await session.AsReference<IRemindable>().ReceiveReminder("session", default, Cancelled);
        await TestCluster.UntilAsync("it has finished", () => Task.FromResult(_storage.Single.Result?.End == SessionEnd.Completed));
        Assert.Equal(Undisturbed, _storage.Single.Unpack());
    }

    [Fact]
    public async Task Alarm_SessionExpiredWhileItWasNotInMemory_IsForgotten()
    {
        await using TestCluster cluster = await StartClusterAsync();
        await cluster.ReadyAsync("toy", 1);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("left");
        _storage.Put(session.GetGrainId(), new SessionRecord { Spec = Lasting, IsPaused = true, Expires = DateTimeOffset.UtcNow - TimeSpan.FromMinutes(1) });
        await session.AsReference<IRemindable>().ReceiveReminder("session", default, Cancelled);
        await TestCluster.UntilAsync("nothing is stored", () => Task.FromResult(_storage.Count == 0));
        _steps.Release(1000);
    }

    [Fact]
    public async Task ListAsync_SessionsInMemoryAndStored_TellsBothAndTakesUpNone()
    {
        await using TestCluster cluster = await StartClusterAsync();
        await StartAsync(cluster, Lasting);
        GrainId stored = cluster.Grains.GetGrain<ISessionGrain>("stored").GetGrainId();
        _storage.Put(stored, new SessionRecord { Spec = Lasting, IsPaused = true, Tokens = SessionRecord.Pack(Undisturbed.AsSpan(0, 5)), Created = DateTimeOffset.UtcNow.AddHours(-1) });
        var catalog = new SessionCatalog(cluster.Grains, cluster.Silos.Silos[0].ServiceProvider, Options.Create(new SessionOptions()));
        IReadOnlyList<SessionDescription> all = await catalog.ListAsync(_ => true, 10, Cancelled);
        Assert.Equal(["stored", "first"], all.Select(session => session.Id.Value));
        Assert.Equal((SessionStatus.Paused, Prompt.Length + 5), (all[0].State, all[0].Position));
        Assert.Equal("first", Assert.Single(await catalog.ListAsync(_ => true, 1, Cancelled)).Id.Value);
        Assert.DoesNotContain(stored, await cluster.Grains.GetGrain<IManagementGrain>(0).GetActiveGrains(stored.Type, Cancelled));
        _steps.Release(1000);
    }

    static GenerationSpec Lasting => Spec with { TimeToLive = TimeSpan.FromMinutes(5) };

    Task<TestCluster> StartClusterAsync() => TestCluster.StartAsync(new FakeModel { Storage = _storage, BeforeStep = _ => _steps.Wait(Cancelled) });

    /// <summary>Lets the only session make so many tokens, one a step.</summary>
    async Task MakeAsync(ISessionGrain session, int tokens)
    {
        int end = (await session.GetAsync()).Position + tokens;
        _steps.Release(tokens);
        await TestCluster.UntilAsync($"{tokens} tokens", async () => (await session.GetAsync()).Position == end);
    }

    static Task<ReminderTableData> RemindersAsync(TestCluster cluster, ISessionGrain session) =>
        cluster.Silos.Silos[0].ServiceProvider.GetRequiredService<IReminderTable>().ReadRows(session.GetGrainId(), Cancelled);

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

    public void Dispose() => _steps.Dispose();
}
