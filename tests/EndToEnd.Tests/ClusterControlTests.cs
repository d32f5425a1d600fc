using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Models that are loaded, scaled and unloaded, and silos that are drained, over gRPC.</summary>
public sealed class ClusterControlTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static string Folder(string model) => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", model);

    [Fact]
    public async Task LoadScaleUnload_RunningSilo_ServesAndTellsTheTruth()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Folder("tiny-random"), "--slots", "4");
        using GrpcChannel channel = server.Connect();
        var models = new Protocol.V1.Models.ModelsClient(channel);
        var images = new ImageGpt.ImageGptClient(channel);
        await models.LoadAsync(new LoadModelRequest { Model = "late", Source = Folder("tiny-random-classifier"), Replicas = 2 }, cancellationToken: Cancelled);
        await ReadyAsync(server, models, "late", 2);
        ClassifyResponse classified = await images.ClassifyAsync(
            new ClassifyRequest { Model = "late", Images = { new ImageInput { Tokens = new TokenGrid { Width = 1, Height = 1, Ids = { 3 } } } } }, cancellationToken: Cancelled);
        Assert.NotEmpty(Assert.Single(classified.Results).Scores);
        string version = (await models.GetAsync(new GetModelRequest { Model = "late" }, cancellationToken: Cancelled)).Version;
        await models.ScaleAsync(new ScaleModelRequest { Model = "late", Replicas = 1 }, cancellationToken: Cancelled);
        await ReadyAsync(server, models, "late", 1);

        // Another version, which cannot be loaded, leaves the one that is there.
        await models.LoadAsync(new LoadModelRequest { Model = "late", Source = Folder("tiny-random-classifier"), Version = "0123456789abcdef" }, cancellationToken: Cancelled);
        await server.UntilAsync("it says why it cannot be loaded", async () =>
            (await models.GetAsync(new GetModelRequest { Model = "late" }, cancellationToken: Cancelled)).LoadFailure.Contains(version, StringComparison.Ordinal));
        Assert.Equal(version, (await models.GetAsync(new GetModelRequest { Model = "late" }, cancellationToken: Cancelled)).Version);
        await models.UnloadAsync(new UnloadModelRequest { Model = "late" }, cancellationToken: Cancelled);
        await server.UntilAsync("it is not served any more", async () =>
            (await models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models.All(model => model.Name != "late"));
        RpcException relative = await Assert.ThrowsAsync<RpcException>(() => models.LoadAsync(
            new LoadModelRequest { Model = "late", Source = "here" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("given 'here'", relative.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scale_MoreThanTheDevicesTake_IsRefusedByTheRule()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Folder("tiny-random"), "--slots", "4");
        using GrpcChannel channel = server.Connect();
        var models = new Protocol.V1.Models.ModelsClient(channel);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => models.ScaleAsync(
            new ScaleModelRequest { Model = "tiny-random", Replicas = 150 }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("Igpt:MaxReplicasPerDevice", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("given 150", refused.Status.Detail, StringComparison.Ordinal);
        await ReadyAsync(server, models, "tiny-random", 1);
    }

    [Fact]
    public async Task Load_SourceThatCannotBeServed_IsRefusedBeforeAnythingChanges()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Folder("tiny-random"), "--slots", "4");
        using GrpcChannel channel = server.Connect();
        var models = new Protocol.V1.Models.ModelsClient(channel);
        foreach (string name in new[] { "tiny-random", "late" })
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => models.LoadAsync(
                new LoadModelRequest { Model = name, Source = "/nowhere/at-all" }, cancellationToken: Cancelled).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains("/nowhere/at-all", refused.Status.Detail, StringComparison.Ordinal);
        }

        Model served = Assert.Single((await models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models);
        Assert.Equal(("tiny-random", "ready", false), (served.Name, Assert.Single(served.Replicas).State, served.Loading));
    }

    [Fact]
    public async Task Start_PlanWhoseFolderIsGone_ServesTheRestAndTellsIt()
    {
        string folder = Path.Combine(_folder, "model");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(Folder("tiny-random")))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        string[] arguments = ["--model", Folder("tiny-random"), "--model", Folder("tiny-random-classifier"), "--slots", "4", "--data", Path.Combine(_folder, "store")];
        await using (ServerProcess first = await ServerProcess.StartSiloAsync(arguments))
        {
            using GrpcChannel channel = first.Connect();
            var models = new Protocol.V1.Models.ModelsClient(channel);
            await models.LoadAsync(new LoadModelRequest { Model = "tiny-random", Source = folder }, cancellationToken: Cancelled);
            await first.UntilAsync("it is loaded", async () =>
                !(await models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models.Single(model => model.Name == "tiny-random").Loading);
            first.Signal("TERM");
            Assert.Equal(0, await first.EndAsync());
        }

        Directory.Delete(folder, recursive: true);
        await using ServerProcess second = await ServerProcess.StartSiloAsync(arguments);
        Assert.Contains("models tiny-random-classifier", second.Output, StringComparison.Ordinal);
        Assert.Contains(folder, second.Output, StringComparison.Ordinal);
        second.Signal("TERM");
        Assert.Equal(0, await second.EndAsync());
    }

    [Fact]
    public async Task Start_ConfiguredModelWasUnloaded_IsReadyAndStopsWhenTold()
    {
        string[] arguments = ["--model", Folder("tiny-random"), "--slots", "4", "--data", Path.Combine(_folder, "store")];
        await using (ServerProcess first = await ServerProcess.StartSiloAsync(arguments))
        {
            using GrpcChannel channel = first.Connect();
            await new Protocol.V1.Models.ModelsClient(channel).UnloadAsync(new UnloadModelRequest { Model = "tiny-random" }, cancellationToken: Cancelled);
            first.Signal("TERM");
            Assert.Equal(0, await first.EndAsync());
        }

        await using ServerProcess second = await ServerProcess.StartSiloAsync(arguments);
        Assert.Contains("models none", second.Output, StringComparison.Ordinal);
        using GrpcChannel again = second.Connect();
        Grpc.Health.V1.HealthCheckResponse health = await new Grpc.Health.V1.Health.HealthClient(again).CheckAsync(new Grpc.Health.V1.HealthCheckRequest(), cancellationToken: Cancelled);
        Assert.Equal(Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        var models = new Protocol.V1.Models.ModelsClient(again);
        await models.LoadAsync(new LoadModelRequest { Model = "tiny-random", Source = Folder("tiny-random") }, cancellationToken: Cancelled);
        await ReadyAsync(second, models, "tiny-random", 1);
        second.Signal("TERM");
        Assert.Equal(0, await second.EndAsync());
    }

    [Fact]
    public async Task Drain_OnlySilo_IsRefusedUnlessForcedAndComesBack()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Folder("tiny-random"), "--slots", "4", "--name", "only");
        using GrpcChannel channel = server.Connect();
        var cluster = new Cluster.ClusterClient(channel);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => cluster.DrainAsync(new DrainSiloRequest { Silo = "only" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Single(await GenerateClient.GenerateAsync(channel, new GenerateRequest(), Cancelled));
        await cluster.DrainAsync(new DrainSiloRequest { Silo = "only", Force = true }, cancellationToken: Cancelled);
        RpcException drained = await Assert.ThrowsAsync<RpcException>(() => GenerateClient.GenerateAsync(channel, new GenerateRequest(), Cancelled));
        Assert.Equal(StatusCode.Unavailable, drained.StatusCode);
        await cluster.UndrainAsync(new UndrainSiloRequest { Silo = "only" }, cancellationToken: Cancelled);
        await server.UntilAsync("it generates again", async () =>
        {
            try
            {
                return (await GenerateClient.GenerateAsync(channel, new GenerateRequest(), Cancelled)).Length == 1;
            }
            catch (RpcException loading) when (loading.StatusCode == StatusCode.Unavailable)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task DrainAndWatch_TwoSilos_WorkGoesToTheOther()
    {
        await using ServerProcess first = await ServerProcess.StartSiloAsync("--model", Folder("tiny-random"), "--slots", "4", "--name", "first");
        await using ServerProcess second = await ServerProcess.JoinSiloAsync(first, "--model", Folder("tiny-random"), "--slots", "4", "--name", "second");
        using GrpcChannel channel = first.Connect();
        var cluster = new Cluster.ClusterClient(channel);
        using AsyncServerStreamingCall<ClusterDescription> watch = cluster.Watch(new WatchClusterRequest(), cancellationToken: Cancelled);
        await SeeAsync(watch, now => now.Replicas.Count(replica => replica.State == "ready") == 2);
        await cluster.DrainAsync(new DrainSiloRequest { Silo = "second" }, cancellationToken: Cancelled);
        await SeeAsync(watch, now => now.Silos.Single(silo => silo.Name == "second").Status == "Draining" && now.Replicas.All(replica => replica.Silo == "first"));
        GenerateClient.Sample[] made = await GenerateClient.GenerateAsync(channel, new GenerateRequest { Samples = 2 }, Cancelled);
        Assert.All(made, sample => Assert.Equal(FinishReason.Completed, sample.Finished!.Reason));
        using GrpcChannel leaving = second.Connect();
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => GenerateClient.GenerateAsync(leaving, new GenerateRequest(), Cancelled));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        RpcException unknown = await Assert.ThrowsAsync<RpcException>(() => cluster.DrainAsync(new DrainSiloRequest { Silo = "third" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("given 'third'", unknown.Status.Detail, StringComparison.Ordinal);
    }

    static async Task SeeAsync(AsyncServerStreamingCall<ClusterDescription> watch, Func<ClusterDescription, bool> wanted)
    {
        do
        {
            Assert.True(await watch.ResponseStream.MoveNext(Cancelled), "the watch ended");
        }
        while (!wanted(watch.ResponseStream.Current));
    }

    static Task ReadyAsync(ServerProcess server, Protocol.V1.Models.ModelsClient models, string name, int replicas) => server.UntilAsync($"{replicas} replicas of {name}", async () =>
        (await models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models.SingleOrDefault(model => model.Name == name) is { } model
            && model.Replicas.Count == replicas && model.Replicas.All(replica => replica.State == "ready"));
}
