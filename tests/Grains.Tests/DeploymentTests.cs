using IgptCluster.Contracts;
using IgptCluster.Tests.Shared;
using static IgptCluster.Grains.Tests.SessionCalls;

namespace IgptCluster.Grains.Tests;

/// <summary>Models that are loaded, unloaded and scaled while the cluster runs, and silos that leave it.</summary>
public sealed class DeploymentTests
{
    static readonly int[] Undisturbed = FakeModelRunner.GreedyAfter(FakeModelRunner.SmallShape, Prompt, 61);

    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task LoadAsync_NewName_IsServedByAsManyReplicasAsAskedForUntilItIsUnloaded()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2, gateways: 1);
        await cluster.ReadyAsync("toy", 2);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("new");
        await model.LoadAsync(new ModelDeployment { Source = "/a", Replicas = 3 });
        ReplicaStatus[] ready = await cluster.ReadyAsync("new", 3);
        Assert.Equal(2, ready.Select(replica => replica.Silo).Distinct().Count());
        Assert.All(ready, replica => Assert.Equal("/a", replica.ModelVersion));
        await model.UnloadAsync();
        await GoneAsync(model);
    }

    [Fact]
    public async Task ScaleAsync_UpAndDown_HoldsAsManyAndLetsTheOthersFinish()
    {
        using var steps = new SemaphoreSlim(0);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { BeforeStep = _ => steps.Wait(Cancelled) }, devices: 2);
        await cluster.ReadyAsync("toy", 2);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        await model.ScaleAsync(4);
        ReplicaStatus[] four = await cluster.ReadyAsync("toy", 4);
        Assert.All(four.CountBy(replica => replica.Silo), silo => Assert.Equal(2, silo.Value));
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("first");
        await session.StartAsync(Spec, four[3].Id);
        Task<(int[] Tokens, SessionResult? Result)> reading = ReadAsync(session, Prompt.Length);
        await model.ScaleAsync(1);
        await cluster.ReadyAsync("toy", 1);
        steps.Release(1000);
        (int[] tokens, SessionResult? result) = await reading;
        Assert.Equal(Undisturbed, tokens);
        Assert.Equal(0, result!.Timings.Resumptions);
    }

    [Fact]
    public async Task ScaleOrLoadAsync_MoreThanThereIsRoomFor_IsRefusedAndChangesNothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Room = 2 }, devices: 2);
        await cluster.ReadyAsync("toy", 2);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => model.ScaleAsync(7));
        Assert.Equal((IgptErrorCode.Unsupported, "replicas"), (refused.Code, refused.Field));
        Assert.Contains("room for 4 more replicas", refused.Message, StringComparison.Ordinal);
        Assert.Contains("given 7", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IgptException>(() => model.LoadAsync(new ModelDeployment { Source = "/b", Replicas = 5 }));
        Assert.Empty((await PlanAsync(cluster)).Models);
        await model.ScaleAsync(6);
        await cluster.ReadyAsync("toy", 6);
        await model.ScaleAsync(1);
        await cluster.ReadyAsync("toy", 1);
    }

    [Fact]
    public async Task LoadAsync_NewVersion_TakesWorkOnlyWhenAllItsReplicasAreReady()
    {
        var slow = new TaskCompletionSource();
        int loads = 0;
        var fake = new FakeModel { LoadingFrom = source => source == "/b" && Interlocked.Increment(ref loads) == 2 ? slow.Task : Task.CompletedTask };
        await using TestCluster cluster = await TestCluster.StartAsync(fake, devices: 2);
        await cluster.ReadyAsync("toy", 2);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        await model.LoadAsync(new ModelDeployment { Source = "/b" });
        await TestCluster.UntilAsync("one of the new version waits for the other", async () =>
            (await model.GetReplicasAsync()).Count(replica => replica.Message.Contains("waits for the others", StringComparison.Ordinal)) == 1);
        Assert.All((await model.GetReplicasAsync()).Where(replica => replica.State == ReplicaState.Ready), replica => Assert.Equal("v1", replica.ModelVersion));
        slow.SetResult();
        await TestCluster.UntilAsync("the new version has taken over", async () => (await model.GetReplicasAsync()) is var now
            && now.Length == 2 && now.All(replica => replica.State == ReplicaState.Ready && replica.ModelVersion == "/b"));
    }

    [Fact]
    public async Task LoadAsync_VersionThatCannotBeLoaded_LeavesTheOldOneAndSaysWhy()
    {
        var fake = new FakeModel { LoadingFrom = source => source == "/broken" ? Task.FromException(new IOException("no such folder")) : Task.CompletedTask };
        await using TestCluster cluster = await TestCluster.StartAsync(fake);
        await cluster.ReadyAsync("toy", 1);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        await model.LoadAsync(new ModelDeployment { Source = "/broken" });
        Assert.Contains("no such folder", (await FailureAsync(cluster, "toy")).Message, StringComparison.Ordinal);
        await TestCluster.UntilAsync("only the old one is left", async () => (await model.GetReplicasAsync()) is [{ State: ReplicaState.Ready, ModelVersion: "v1" }]);
        await model.LoadAsync(new ModelDeployment { Source = "/c" });
        await TestCluster.UntilAsync("the next version has taken over", async () => (await model.GetReplicasAsync()) is [{ State: ReplicaState.Ready, ModelVersion: "/c" }]);
        await model.LoadAsync(new ModelDeployment { Source = "/broken" });
        await FailureAsync(cluster, "toy");
        await TestCluster.UntilAsync("the version that was loaded last is back", async () => (await model.GetReplicasAsync()) is [{ State: ReplicaState.Ready, ModelVersion: "/c" }]);
    }

    [Fact]
    public async Task LoadAsync_NewNameThatCannotBeLoaded_DoesNotStayAndSaysWhy()
    {
        var fake = new FakeModel { LoadingFrom = source => source == "/broken" ? Task.FromException(new IOException("no such folder")) : Task.CompletedTask };
        await using TestCluster cluster = await TestCluster.StartAsync(fake, devices: 2);
        await cluster.ReadyAsync("toy", 2);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("new");
        await model.LoadAsync(new ModelDeployment { Source = "/broken" });
        LoadFailure failure = await FailureAsync(cluster, "new");
        Assert.Equal("/broken", failure.Source);
        await GoneAsync(model);
        IgptException unknown = await Assert.ThrowsAsync<IgptException>(model.GetReplicasAsync);
        Assert.Contains("no such folder", unknown.Message, StringComparison.Ordinal);
        await model.LoadAsync(new ModelDeployment { Source = "/a" });
        await cluster.ReadyAsync("new", 2);
        await TestCluster.UntilAsync("it is not on trial any more", async () => (await PlanAsync(cluster)).Models["new"] is { IsOnTrial: false, Before: null });
        Assert.False((await PlanAsync(cluster)).Failures!.ContainsKey("new"));
    }

    [Fact]
    public async Task LoadAsync_WhileTheVersionBeforeBecomesComplete_IsNotUndone()
    {
        var slow = new TaskCompletionSource();
        var storage = new FakeClusterStorage();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { ClusterStorage = storage, LoadingFrom = source => source == "/b" ? slow.Task : Task.CompletedTask });
        await cluster.ReadyAsync("toy", 1);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        await model.LoadAsync(new ModelDeployment { Source = "/b" });
        using var goesOn = new ManualResetEventSlim();
        var writes = new TaskCompletionSource();
        storage.BeforeWrite = () =>
        {
            writes.TrySetResult();
            goesOn.Wait(Cancelled);
        };
        Task load = model.LoadAsync(new ModelDeployment { Source = "/c" });
        await writes.Task.WaitAsync(Cancelled);
        slow.SetResult();
        await TestCluster.UntilAsync("the version before is complete", async () => (await model.GetReplicasAsync()).Any(replica => replica is { State: ReplicaState.Ready, ModelVersion: "/b" }));
        storage.BeforeWrite = () => { };
        goesOn.Set();
        await load;
        await TestCluster.UntilAsync("the version that was loaded last has taken over", async () => (await model.GetReplicasAsync()) is [{ State: ReplicaState.Ready, ModelVersion: "/c" }]);
        await TestCluster.UntilAsync("it holds", async () => (await PlanAsync(cluster)).Models["toy"] is { Source: "/c", IsOnTrial: false });
    }

    [Fact]
    public async Task SetModelAsync_ManyNamesThatCannotBeLoaded_KeepsTheLatestFailures()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        await cluster.ReadyAsync("toy", 1);
        IPlanGrain plan = cluster.Grains.GetGrain<IPlanGrain>(IPlanGrain.Key);
        for (int name = 0; name < 40; name++)
        {
            await plan.SetModelAsync($"name-{name}", null, new LoadFailure("/none", "no such folder"));
        }

        await plan.SetModelAsync("name-20", null, new LoadFailure("/none", "again"));
        Assert.Equal([.. Enumerable.Range(8, 32).Select(name => $"name-{name}").Order()], (await plan.GetAsync()).Failures!.Keys.Order());
    }

    [Fact]
    public async Task LoadAsync_SourceThatASiloCannotLoad_IsRefusedAndChangesNothing()
    {
        var refusal = new IgptException(IgptErrorCode.InvalidArgument, "source: no such folder") { Field = "source" };
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Checking = source => source == "/none" ? Task.FromException(refusal) : Task.CompletedTask });
        await cluster.ReadyAsync("toy", 1);
        long before = (await PlanAsync(cluster)).Revision;
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => cluster.Grains.GetGrain<IModelGrain>("toy").LoadAsync(new ModelDeployment { Source = "/none" }));
        Assert.Equal((IgptErrorCode.InvalidArgument, "source"), (refused.Code, refused.Field));
        Assert.Equal(before, (await PlanAsync(cluster)).Revision);
        Assert.Equal("v1", Assert.Single(await cluster.ReadyAsync("toy", 1)).ModelVersion);
    }

    [Fact]
    public async Task LoadAsync_Stored_IsServedAgainAfterAllSilosWereLost()
    {
        var storage = new FakeClusterStorage();
        await using (TestCluster first = await TestCluster.StartAsync(new FakeModel { ClusterStorage = storage }))
        {
            await first.ReadyAsync("toy", 1);
            await first.Grains.GetGrain<IModelGrain>("new").LoadAsync(new ModelDeployment { Source = "/a" });
            await first.ReadyAsync("new", 1);
            await first.Grains.GetGrain<IModelGrain>("new").PutHeadAsync(HeadTests.Constant("kept", 1));
        }

        await using TestCluster second = await TestCluster.StartAsync(new FakeModel { ClusterStorage = storage });
        await second.ReadyAsync("new", 1);
        Assert.Contains("kept", (await second.Grains.GetGrain<IModelGrain>("new").DescribeAsync()).Heads.Select(head => head.Name));
        await second.Grains.GetGrain<IModelGrain>("new").DeleteHeadAsync("kept");
        Assert.DoesNotContain("kept", (await second.Grains.GetGrain<IModelGrain>("new").DescribeAsync()).Heads.Select(head => head.Name));
    }

    [Fact]
    public async Task LoadAndPutHeadAsync_StoreIsAway_ChangeNothing()
    {
        var storage = new FakeClusterStorage();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { ClusterStorage = storage });
        await cluster.ReadyAsync("toy", 1);
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        storage.BeforeWrite = () => throw new IOException("no store");
        Assert.Equal(IgptErrorCode.StoreUnavailable, (await Assert.ThrowsAsync<IgptException>(() => model.ScaleAsync(3))).Code);
        Assert.Equal(IgptErrorCode.StoreUnavailable, (await Assert.ThrowsAsync<IgptException>(() => model.PutHeadAsync(HeadTests.Constant("lost", 1)))).Code);
        Assert.DoesNotContain("lost", (await model.DescribeAsync()).Heads.Select(head => head.Name));
        await cluster.ReadyAsync("toy", 1);
    }

    [Fact]
    public async Task DrainAsync_SiloThatGenerates_ItsSessionsGoOnElsewhereAndItHoldsNothing()
    {
        using var steps = new SemaphoreSlim(20);
        var fake = new FakeModel { Storage = new FakeSessionStorage(), BeforeStep = _ => steps.Wait(Cancelled) };
        await using TestCluster cluster = await TestCluster.StartAsync(fake, devices: 2);
        ReplicaStatus[] replicas = await cluster.ReadyAsync("toy", 2);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("first");
        await session.StartAsync(Spec with { TimeToLive = TimeSpan.FromMinutes(5) }, replicas[0].Id);
        await TestCluster.UntilAsync("some tokens", async () => (await session.GetAsync()).Position > 10);
        Task drained = cluster.Grains.GetGrain<ISiloGrain>(replicas[0].SiloAddress).DrainAsync(force: false);
        await TestCluster.UntilAsync("it takes no more work", async () => (await cluster.StatusAsync(replicas[0].Id)).State == ReplicaState.Draining);
        steps.Release(10_000);
        await drained;
        await TestCluster.UntilAsync("the session has finished elsewhere", async () => (await session.GetAsync()).Result?.End == SessionEnd.Completed);
        (int[] tokens, SessionResult? result) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        Assert.InRange(result!.Timings.Resumptions, 1, 2);
        await UntilEmptyAsync(cluster, replicas[0].SiloAddress);
        Assert.Equal(replicas[1].Silo, Assert.Single(await cluster.ReadyAsync("toy", 1)).Silo);
    }

    [Fact]
    public async Task DrainAsync_NothingIsStored_SessionsOfThatSiloGoOnElsewhere()
    {
        using var steps = new SemaphoreSlim(20);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { BeforeStep = _ => steps.Wait(Cancelled) }, devices: 2);
        ReplicaStatus[] replicas = await cluster.ReadyAsync("toy", 2);
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>("first");
        await session.StartAsync(Spec, replicas[0].Id);
        await TestCluster.UntilAsync("some tokens", async () => (await session.GetAsync()).Position > 10);
        SiloAddress its = (await cluster.Grains.GetGrain<IManagementGrain>(0).GetActivationAddress(session, Cancelled))!;
        Task drained = cluster.Grains.GetGrain<ISiloGrain>(its.ToParsableString()).DrainAsync(force: false);
        await TestCluster.UntilAsync("it takes no more work", async () =>
            (await cluster.Grains.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync()).Draining.Contains(its.ToParsableString()));
        steps.Release(10_000);
        await drained;
        (int[] tokens, _) = await ReadAsync(session, Prompt.Length);
        Assert.Equal(Undisturbed, tokens);
        await UntilEmptyAsync(cluster, its.ToParsableString());
    }

    [Fact]
    public async Task DrainAsync_OnlySiloForced_SaysSoAndLeavesItsReplicasAlone()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), gateways: 1);
        ReplicaStatus replica = Assert.Single(await cluster.ReadyAsync("toy", 1));
        IModelGrain model = cluster.Grains.GetGrain<IModelGrain>("toy");
        await cluster.Grains.GetGrain<ISiloGrain>(replica.SiloAddress).DrainAsync(force: true);
        await TestCluster.UntilAsync("it is known as leaving", async () => (await model.GetReplicasAsync()) is [{ State: ReplicaState.Draining }]);
        Assert.Equal(IgptErrorCode.NoReplica, (await Assert.ThrowsAsync<IgptException>(model.DescribeAsync)).Code);
        await TestCluster.UntilAsync("no replica is left there", async () => !(await HereAsync(cluster, replica.SiloAddress)).Contains("igpt.replica/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task DrainAsync_OnlySilo_IsRefusedAndServesOn()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), gateways: 1);
        ReplicaStatus replica = Assert.Single(await cluster.ReadyAsync("toy", 1));
        ISiloGrain silo = cluster.Grains.GetGrain<ISiloGrain>(replica.SiloAddress);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => silo.DrainAsync(force: false));
        Assert.Equal(IgptErrorCode.Unsupported, refused.Code);
        Assert.Contains("no other silo that stays", refused.Message, StringComparison.Ordinal);
        Assert.Empty((await cluster.Grains.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync()).Draining);
        (int[] tokens, _) = await ReadAsync(await StartAsync(cluster, Spec), Prompt.Length);
        Assert.Equal(Undisturbed, tokens);

        // A process that is told to stop leaves all the same, whatever was refused before.
        await silo.DrainAsync(force: true);
        await TestCluster.UntilAsync("it is known as leaving", async () => (await cluster.Grains.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync()).Draining.Count == 1);
    }

    [Fact]
    public async Task DrainAsync_TwoSilosAtOnce_OneIsRefused()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2);
        ReplicaStatus[] replicas = await cluster.ReadyAsync("toy", 2);
        Exception?[] refusals = await Task.WhenAll(replicas.Select(replica => Record.ExceptionAsync(() => cluster.Grains.GetGrain<ISiloGrain>(replica.SiloAddress).DrainAsync(force: false)).AsTask()));
        Assert.Equal(IgptErrorCode.Unsupported, Assert.IsType<IgptException>(Assert.Single(refusals.OfType<Exception>())).Code);
        await cluster.ReadyAsync("toy", 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UndrainAsync_DrainedSilo_ServesAgain(bool isOnly)
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: isOnly ? 1 : 2, gateways: 1);
        ReplicaStatus replica = (await cluster.ReadyAsync("toy", cluster.DeviceCount))[0];
        ISiloGrain silo = cluster.Grains.GetGrain<ISiloGrain>(replica.SiloAddress);
        for (int round = 0; round < 2; round++)
        {
            await silo.DrainAsync(force: isOnly);
            await silo.UndrainAsync();
            Assert.Contains(await cluster.ReadyAsync("toy", cluster.DeviceCount), ready => ready.Silo == replica.Silo);

            // What is known of replicas is a second old.
            ISessionGrain? session = null;
            await TestCluster.UntilAsync("a session is started", async () => (session = await StartAsync(cluster, Spec, $"round-{round}")) is not null);
            Assert.Equal(Undisturbed, (await ReadAsync(session!, Prompt.Length)).Tokens);
        }

        await silo.UndrainAsync();
        await cluster.ReadyAsync("toy", cluster.DeviceCount);
    }

    [Fact]
    public async Task UndrainAsync_WhileItDrains_EndsTheDrain()
    {
        using var steps = new SemaphoreSlim(0);
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { BeforeStep = _ => steps.Wait(Cancelled) });
        ISessionGrain session = await StartAsync(cluster, Spec);
        ReplicaStatus replica = Assert.Single(await cluster.ReadyAsync("toy", 1));
        ISiloGrain silo = cluster.Grains.GetGrain<ISiloGrain>(replica.SiloAddress);
        Task drained = silo.DrainAsync(force: true);
        await TestCluster.UntilAsync("it takes no more work", async () => (await cluster.StatusAsync(replica.Id)).State == ReplicaState.Draining);
        await silo.UndrainAsync();
        await drained;
        steps.Release(10_000);
        Assert.Equal(Undisturbed, (await ReadAsync(session, Prompt.Length)).Tokens);
        await cluster.ReadyAsync("toy", 1);
    }

    // Who has not heard of the draining yet may call a replica where it was: for as long as it takes to refuse that, it is counted there.
    static Task UntilEmptyAsync(TestCluster cluster, string silo) => TestCluster.UntilAsync("nothing is left there", async () => await HereAsync(cluster, silo) == "");

    /// <summary>The product's grains on a silo, without the silo's own.</summary>
    static async Task<string> HereAsync(TestCluster cluster, string silo)
    {
        DetailedGrainStatistic[] all = await cluster.Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(null, [SiloAddress.FromParsableString(silo)], Cancelled);
        return string.Join(' ', all.Select(grain => grain.GrainId.ToString()).Where(grain => grain.StartsWith("igpt.", StringComparison.Ordinal) && !grain.StartsWith("igpt.silo/", StringComparison.Ordinal)));
    }

    static Task<ClusterPlan> PlanAsync(TestCluster cluster) => cluster.Grains.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync();

    static async Task<LoadFailure> FailureAsync(TestCluster cluster, string model)
    {
        LoadFailure? failure = null;
        await TestCluster.UntilAsync("it is told why", async () => (failure = (await PlanAsync(cluster)).Failures?.GetValueOrDefault(model)) is not null);
        return failure!;
    }

    static Task GoneAsync(IModelGrain model) => TestCluster.UntilAsync("it is not served any more", async () =>
    {
        try
        {
            return (await model.GetReplicasAsync()).Length < 0;
        }
        catch (IgptException gone) when (gone.Code == IgptErrorCode.ModelNotFound)
        {
            return true;
        }
    });
}
