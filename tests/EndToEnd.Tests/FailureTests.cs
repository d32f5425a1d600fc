using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;
using static IgptCluster.EndToEnd.Tests.GenerateClient;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Tests that need a server of their own.</summary>
public sealed class FailureTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string Bundled => Path.Combine(GoldenSet.RepositoryRoot(), "assets", "models", "tiny-random");

    [Fact]
    public async Task Generate_SlotsAndQueueFull_IsResourceExhaustedWithADelay()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled, "--slots", "1", "--max-waiting", "0");
        using GrpcChannel channel = server.Connect();
        using AsyncServerStreamingCall<GenerateEvent> running = new ImageGpt.ImageGptClient(channel).Generate(new GenerateRequest(), cancellationToken: Cancelled);
        Assert.True(await running.ResponseStream.MoveNext(Cancelled));
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => GenerateAsync(channel, new GenerateRequest(), Cancelled));
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.True(refused.GetRpcStatus()!.GetDetail<Google.Rpc.RetryInfo>().RetryDelay.ToTimeSpan() > TimeSpan.Zero);
        int tokens = 0;
        bool finished = false;
        while (await running.ResponseStream.MoveNext(Cancelled))
        {
            tokens += running.ResponseStream.Current.Tokens?.Ids.Count ?? 0;
            finished |= running.ResponseStream.Current.EventCase == GenerateEvent.EventOneofCase.Finished;
        }

        Assert.True(finished && tokens == 1024, "the running stream suffered from the refused one");
    }

    [Fact]
    public async Task Generate_ServerKilledMidStream_IsAnErrorAndNeverLooksComplete()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled);
        using GrpcChannel channel = server.Connect();
        bool finished = false;
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => GenerateAsync(channel, new GenerateRequest(), Cancelled, happened =>
        {
            finished |= happened.EventCase == GenerateEvent.EventOneofCase.Finished;
            if (happened.EventCase == GenerateEvent.EventOneofCase.Tokens && !server.Process.HasExited)
            {
                server.Process.Kill();
            }
        }));
        Assert.False(finished);
        Assert.NotEqual(StatusCode.OK, failure.StatusCode);
    }

    [Fact]
    public async Task Gateway_OfItsOwn_ServesTheSilosModels()
    {
        await using ServerProcess silo = await ServerProcess.StartSiloAsync("--model", Bundled, "--gateway", "false");
        Assert.Null(silo.GrpcAddress);
        await using ServerProcess gateway = await ServerProcess.StartGatewayAsync(silo);
        using GrpcChannel channel = gateway.Connect();
        Sample sample = Assert.Single(await GenerateAsync(channel, new GenerateRequest { MaxNewTokens = 50 }, Cancelled));
        Assert.Equal(50, sample.Tokens.Count);
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.Equal([0, 1], cluster.Silos.Select(one => one.Devices.Count).Order());
        Assert.Single(cluster.Replicas);
        Assert.DoesNotContain(Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "..", "..", "Gateway", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/')))), file => file.Contains("torch", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Silo_BrokenCheckpoint_SaysWhyAndExitsWithTwo()
    {
        string folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "config.json"), """{"n_layer": -3}""", Cancelled);
            var start = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync("--model", folder));
            Assert.Contains("exited with 2", start.Message, StringComparison.Ordinal);
            Assert.Contains("n_layer", start.Message, StringComparison.Ordinal);
            Assert.Contains("-3", start.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
