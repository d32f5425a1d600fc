using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Models that are loaded, scaled and unloaded, and silos that are drained, over gRPC.</summary>
public sealed class ClusterControlTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

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
            (await models.GetAsync(new GetModelRequest { Model = "late" }, cancellationToken: Cancelled)).Replicas.Any(replica => replica.Message.Contains(version, StringComparison.Ordinal)));
        Assert.Equal(version, (await models.GetAsync(new GetModelRequest { Model = "late" }, cancellationToken: Cancelled)).Version);
        await models.UnloadAsync(new UnloadModelRequest { Model = "late" }, cancellationToken: Cancelled);
        await server.UntilAsync("it is not served any more", async () =>
            (await models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models.All(model => model.Name != "late"));
        RpcException relative = await Assert.ThrowsAsync<RpcException>(() => models.LoadAsync(
            new LoadModelRequest { Model = "late", Source = "here" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("given 'here'", relative.Status.Detail, StringComparison.Ordinal);
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
