using IgptCluster.Contracts;
using IgptCluster.Tests.Shared;
using Orleans.TestingHost;

namespace IgptCluster.Grains.Tests;

/// <summary>Heads that come and go while replicas do.</summary>
public sealed class HeadTests
{
    static readonly int Width = FakeModelRunner.SmallShape.EmbeddingSize;

    static CancellationToken Cancelled => TestCluster.Cancelled;

    [Fact]
    public async Task PutHeadAsync_TwoReplicas_EachClassifiesWithItAtOnce()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2);
        ReplicaStatus[] replicas = await cluster.ReadyAsync("toy", 2);
        float[] weight = [.. Enumerable.Range(0, 3 * Width).Select(i => i % 5 - 2f)];
        HeadDescription put = await ModelOf(cluster).PutHeadAsync(new HeadSpec { Name = "colour", Layer = 2, Labels = ["r", "g", "b"], Weight = weight, Bias = [1, 2, 3] });
        Assert.Equal(("colour", 2, false), (put.Name, put.Layer, put.IsReadOnly));
        foreach (ReplicaStatus status in replicas)
        {
            IReplicaGrain replica = ReplicaOf(cluster, status.Id);
            float[] features = (await replica.EvaluateAsync(new EvaluationSpec { Images = [[1, 2, 3]], Kind = EvaluationKind.Embed, Layer = 2 }, Cancelled)).Rows[0];
            EvaluationResult result = await ClassifyAsync(replica, "colour");
            Assert.Equal(["r", "g", "b"], result.Head!.Labels);
            for (int label = 0; label < 3; label++)
            {
                Assert.Equal(features.Index().Sum(one => one.Item * weight[(label * Width) + one.Index]) + label + 1, result.Rows[0][label], 1e-3f);
            }

            Assert.Equal([("parity", true), ("colour", false)], (await replica.DescribeAsync()).Heads.Select(head => (head.Name, head.IsReadOnly)));
        }

        Assert.Equal(["even", "odd"], (await ClassifyAsync(ReplicaOf(cluster, replicas[0].Id), "")).Head!.Labels);
    }

    [Fact]
    public async Task EvaluateAsync_MoreHeads_EachSaysWhatItSaysAloneFromOnePass()
    {
        var model = new FakeModel();
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        IReplicaGrain replica = ReplicaOf(cluster, (await cluster.ReadyAsync("toy", 1))[0].Id);
        string[] names = ["a", "b", "c"];
        foreach ((int index, string name) in names.Index())
        {
            float[] weight = [.. Enumerable.Range(0, 2 * Width).Select(i => ((i * 3) + index) % 7 - 3f)];
            await ModelOf(cluster).PutHeadAsync(new HeadSpec { Name = name, Layer = index, Labels = ["x", "y"], Weight = weight, Bias = [] });
        }

        int[][] images = [[1, 2, 3], [4, 5, 6, 7]];
        int before = model.Runners.Single().Plans.Sum(plan => plan.TokenCount);
        EvaluationResult all = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Classify, Head = "b", MoreHeads = ["c", "*", "a"] }, Cancelled);
        Assert.Equal(7, model.Runners.Single().Plans.Sum(plan => plan.TokenCount) - before);
        Assert.Equal(["b", "c", "parity", "a"], all.More!.Select(one => one.Head.Name).Prepend(all.Head!.Name));
        foreach (HeadResult one in all.More!)
        {
            EvaluationResult alone = await replica.EvaluateAsync(new EvaluationSpec { Images = images, Kind = EvaluationKind.Classify, Head = one.Head.Name }, Cancelled);
            Assert.Equal(alone.Rows, one.Rows);
        }

        await RefusedAsync(IgptErrorCode.HeadNotFound, "no head 'z'", () => replica.EvaluateAsync(
            new EvaluationSpec { Images = images, Kind = EvaluationKind.Classify, MoreHeads = ["z"] }, Cancelled));
        string[] labels = [.. Enumerable.Range(0, HeadRules.MaxLabels).Select(label => $"{label}")];
        await ModelOf(cluster).PutHeadAsync(new HeadSpec { Name = "wide", Layer = 1, Labels = labels, Weight = new float[labels.Length * Width], Bias = [] });
        int[][] many = [.. Enumerable.Range(0, (int)(HeadRules.MaxLogits / labels.Length) + 1).Select(_ => images[0])];
        await RefusedAsync(IgptErrorCode.InvalidArgument, "fewer heads or images", () => replica.EvaluateAsync(
            new EvaluationSpec { Images = many, Kind = EvaluationKind.Classify, Head = "wide" }, Cancelled));
    }

    [Fact]
    public async Task PutHeadAsync_NoHeadOfItsOwn_TheFirstPutIsTheDefaultUntilItIsDeleted()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { HasOwnHead = false });
        IReplicaGrain replica = ReplicaOf(cluster, (await cluster.ReadyAsync("toy", 1))[0].Id);
        await RefusedAsync(IgptErrorCode.Unsupported, "has no classifier head", () => ClassifyAsync(replica, ""));
        await RefusedAsync(IgptErrorCode.HeadNotFound, "it has none", () => ClassifyAsync(replica, "z"));
        await ModelOf(cluster).PutHeadAsync(Constant("z", 1));
        await ModelOf(cluster).PutHeadAsync(Constant("a", 2));
        await ModelOf(cluster).PutHeadAsync(Constant("z", 3));
        await AnswersAsync(replica, "", 3);
        await ModelOf(cluster).DeleteHeadAsync("z");
        await AnswersAsync(replica, "", 2);
        await RefusedAsync(IgptErrorCode.HeadNotFound, "it has 'a'", () => ClassifyAsync(replica, "z"));
    }

    [Fact]
    public async Task PutHeadAsync_ReplicaStillLoading_HasItOnceItIsReady()
    {
        var loaded = new TaskCompletionSource();
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel { Loading = replica => replica.Index == 1 ? loaded.Task : Task.CompletedTask }, devices: 2);
        await TestCluster.UntilAsync("one replica is ready and one loads", async () =>
            (await ModelOf(cluster).GetReplicasAsync()).Select(replica => replica.State).Order().SequenceEqual([ReplicaState.Loading, ReplicaState.Ready]));
        await ModelOf(cluster).PutHeadAsync(Constant("early", 1));
        await ModelOf(cluster).PutHeadAsync(Constant("gone", 2));
        await ModelOf(cluster).DeleteHeadAsync("gone");
        loaded.SetResult();
        foreach (ReplicaStatus replica in await cluster.ReadyAsync("toy", 2))
        {
            await AnswersAsync(ReplicaOf(cluster, replica.Id), "early", 1);
            await RefusedAsync(IgptErrorCode.HeadNotFound, "'parity', 'early'", () => ClassifyAsync(ReplicaOf(cluster, replica.Id), "gone"));
        }
    }

    [Fact]
    public async Task PutHeadAsync_SiloJoinsLater_ItsReplicaHasTheHeads()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        await cluster.ReadyAsync("toy", 1);
        await ModelOf(cluster).PutHeadAsync(Constant("one", 1));
        await ModelOf(cluster).PutHeadAsync(Constant("two", 2));
        await cluster.Silos.StartAdditionalSiloAsync();
        foreach (ReplicaStatus replica in await cluster.ReadyAsync("toy", 2))
        {
            await AnswersAsync(ReplicaOf(cluster, replica.Id), "one", 1);
            await AnswersAsync(ReplicaOf(cluster, replica.Id), "two", 2);
        }
    }

    [Fact]
    public async Task PutHeadAsync_ReplicaStartsAfresh_IsNeverWithoutTheHeadItHad()
    {
        var model = new FakeModel();
        await using TestCluster cluster = await TestCluster.StartAsync(model);
        ReplicaId id = (await cluster.ReadyAsync("toy", 1))[0].Id;
        await ModelOf(cluster).PutHeadAsync(Constant("kept", 7));
        await cluster.Silos.DeactivateAsync(ReplicaOf(cluster, id));
        await TestCluster.UntilAsync("the fresh replica classifies with the head", async () =>
        {
            try
            {
                return (await ClassifyAsync(ReplicaOf(cluster, id), "kept")).Rows[0][0] == 7 && model.Runners.Count == 2;
            }
            catch (IgptException late) when (late.Code == IgptErrorCode.NoReplica)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task EvaluateAsync_ReplicaItsModelDoesNotKnow_SaysTryAgainAndNotThatTheHeadIsUnknown()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        await cluster.ReadyAsync("toy", 1);
        IReplicaGrain stray = ReplicaOf(cluster, new ReplicaId("toy", 99));
        await TestCluster.UntilAsync("its weights are loaded", async () => (await stray.StartAsync(new ModelDeployment())).State == ReplicaState.Ready);
        IgptException late = await RefusedAsync(IgptErrorCode.NoReplica, "not been given", () => ClassifyAsync(stray, "colour"));
        Assert.NotNull(late.RetryAfter);
        Assert.Equal("parity", (await ClassifyAsync(stray, "")).Head!.Name);
    }

    [Fact]
    public async Task PutHeadAsync_ModelGrainLost_ItsSuccessorKnowsHeadsOrderAndDeletions()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        ReplicaId id = (await cluster.ReadyAsync("toy", 1))[0].Id;
        await ModelOf(cluster).PutHeadAsync(Constant("z", 1));
        await ModelOf(cluster).PutHeadAsync(Constant("gone", 2));
        await ModelOf(cluster).PutHeadAsync(Constant("a", 3));
        await ModelOf(cluster).DeleteHeadAsync("gone");
        await cluster.Silos.DeactivateAsync(ModelOf(cluster));
        Assert.Equal(["parity", "z", "a"], (await ModelOf(cluster).DescribeAsync()).Heads.Select(head => head.Name));
        await ModelOf(cluster).PutHeadAsync(Constant("z", 4));
        await AnswersAsync(ReplicaOf(cluster, id), "z", 4);
        await ModelOf(cluster).DeleteHeadAsync("a");
        await RefusedAsync(IgptErrorCode.HeadNotFound, "'parity', 'z'", () => ClassifyAsync(ReplicaOf(cluster, id), "a"));
        await RefusedAsync(IgptErrorCode.HeadNotFound, "nothing was deleted", () => ModelOf(cluster).DeleteHeadAsync("gone"));
    }

    [Fact]
    public async Task PutHeadAsync_SiloOfTheModelGrainStops_TheOtherSilosReplicaKeepsTheHeads()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2);
        await cluster.ReadyAsync("toy", 2);
        await ModelOf(cluster).PutHeadAsync(Constant("kept", 5));
        DetailedGrainStatistic[] grains = await cluster.Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics(null, null, Cancelled);
        SiloAddress holder = grains.Single(grain => grain.GrainId == ModelOf(cluster).GetGrainId()).SiloAddress;
        InProcessSiloHandle stopped = cluster.Silos.Silos.Single(silo => silo.SiloAddress.Equals(holder));
        await cluster.Silos.StopSiloAsync(stopped, Cancelled);
        await TestCluster.UntilAsync("the model is described from the silo left, with its head", async () =>
            (await cluster.ReadyAsync("toy", 1))[0].Silo != stopped.Name && (await ModelOf(cluster).DescribeAsync()).Heads.Any(head => head.Name == "kept"));
        ReplicaStatus left = (await cluster.ReadyAsync("toy", 1))[0];
        await AnswersAsync(ReplicaOf(cluster, left.Id), "kept", 5);
    }

    [Fact]
    public async Task PutHeadAsync_ManyPutsAndDeletesOfOneNameAtOnce_ReplicasAgree()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel(), devices: 2);
        ReplicaStatus[] replicas = await cluster.ReadyAsync("toy", 2);
        IModelGrain model = ModelOf(cluster);
        await model.PutHeadAsync(Constant("raced", 0));
        IEnumerable<Task> changes = Enumerable.Range(1, 40).Select(i => i % 4 == 0 ? DeleteAsync() : model.PutHeadAsync(Constant("raced", i)));
        await Task.WhenAll(changes);
        HeadStamp[][] stamps = await Task.WhenAll(replicas.Select(replica => ReplicaOf(cluster, replica.Id).GetHeadStampsAsync()));
        Assert.Equal(stamps[0], stamps[1]);
        await model.PutHeadAsync(Constant("raced", 99));
        Assert.All(await Task.WhenAll(replicas.Select(replica => ClassifyAsync(ReplicaOf(cluster, replica.Id), "raced"))), result => Assert.Equal([99], result.Rows[0]));
        string[] versions = await Task.WhenAll(replicas.Select(async replica => (await cluster.StatusAsync(replica.Id)).HeadsVersion));
        Assert.Single(versions.Distinct());

        async Task DeleteAsync()
        {
            try
            {
                await model.DeleteHeadAsync("raced");
            }
            catch (IgptException gone) when (gone.Code == IgptErrorCode.HeadNotFound)
            {
                // Another was first.
            }
        }
    }

    [Fact]
    public async Task PutAndDeleteHeadAsync_WhatCannotBe_IsRefusedWithItsReason()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        IReplicaGrain replica = ReplicaOf(cluster, (await cluster.ReadyAsync("toy", 1))[0].Id);
        IModelGrain model = ModelOf(cluster);
        await RefusedAsync(IgptErrorCode.HeadReadOnly, "another name", () => model.PutHeadAsync(Constant("parity", 1)));
        await RefusedAsync(IgptErrorCode.HeadReadOnly, "cannot be deleted", () => model.DeleteHeadAsync("parity"));
        await RefusedAsync(IgptErrorCode.HeadNotFound, "'nothing'", () => model.DeleteHeadAsync("nothing"));
        await RefusedAsync(IgptErrorCode.ModelNotFound, "'toy'", () => cluster.Grains.GetGrain<IModelGrain>("nothing").PutHeadAsync(Constant("x", 1)));
        IgptException broken = await RefusedAsync(IgptErrorCode.InvalidArgument, "given 9", () => model.PutHeadAsync(Constant("x", 1) with { Layer = 9, Bias = [1, 2] }));
        Assert.Equal(["layer", "bias"], broken.Violations.Select(violation => violation.Field));
        Assert.Equal(["parity"], (await replica.DescribeAsync()).Heads.Select(head => head.Name));
    }

    [Fact]
    public async Task PutHeadAsync_MoreThanAModelHolds_IsRefusedUntilOneIsDeleted()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        await cluster.ReadyAsync("toy", 1);
        IModelGrain model = ModelOf(cluster);
        for (int i = 0; i < HeadRules.MaxHeads; i++)
        {
            await model.PutHeadAsync(Constant($"head-{i}", i));
        }

        await RefusedAsync(IgptErrorCode.Unsupported, "1,000 put heads", () => model.PutHeadAsync(Constant("more", 1)));
        await model.PutHeadAsync(Constant("head-500", 1));
        await model.DeleteHeadAsync("head-3");
        await model.PutHeadAsync(Constant("more", 1));
    }

    /// <summary>A head whose only logit is known.</summary>
    internal static HeadSpec Constant(string name, float logit) => new() { Name = name, Layer = 1, Labels = [$"{name} {logit}"], Weight = new float[Width], Bias = [logit] };

    static IModelGrain ModelOf(TestCluster cluster) => cluster.Grains.GetGrain<IModelGrain>("toy");

    static IReplicaGrain ReplicaOf(TestCluster cluster, ReplicaId id) => cluster.Grains.GetGrain<IReplicaGrain>(id.ToString());

    static Task<EvaluationResult> ClassifyAsync(IReplicaGrain replica, string head) =>
        replica.EvaluateAsync(new EvaluationSpec { Images = [[1, 2, 3]], Kind = EvaluationKind.Classify, Head = head }, Cancelled);

    static async Task AnswersAsync(IReplicaGrain replica, string head, float logit) => Assert.Equal(logit, Assert.Single((await ClassifyAsync(replica, head)).Rows[0]));

    static async Task<IgptException> RefusedAsync(IgptErrorCode code, string words, Func<Task> call)
    {
        IgptException refused = await Assert.ThrowsAsync<IgptException>(call);
        Assert.Equal(code, refused.Code);
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        return refused;
    }
}
