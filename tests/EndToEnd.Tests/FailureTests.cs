using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;
using static IgptCluster.EndToEnd.Tests.GenerateClient;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Tests that need a server of their own.</summary>
public sealed class FailureTests
{
    /// <summary>How often a test tries to be in the middle of a stream: on a busy machine it may come too late.</summary>
    const int Attempts = 5;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string Bundled => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random");

    [Fact]
    public async Task Generate_SlotsAndQueueFull_IsResourceExhaustedWithADelay()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled, "--slots", "1", "--max-waiting", "0");
        using GrpcChannel channel = server.Connect();
        AsyncServerStreamingCall<GenerateEvent> started;
        Exception? failure;
        int attempts = 0;
        do
        {
            started = new ImageGpt.ImageGptClient(channel).Generate(new GenerateRequest(), cancellationToken: Cancelled);
            Assert.True(await started.ResponseStream.MoveNext(Cancelled));
            failure = await Record.ExceptionAsync(() => GenerateAsync(channel, new GenerateRequest(), Cancelled));
        }
        while (failure is null && ++attempts < Attempts);

        using AsyncServerStreamingCall<GenerateEvent> running = started;
        RpcException refused = Assert.IsType<RpcException>(failure);
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Generate_ClientLeaves_ItsSlotTakesTheNextRequest(bool isDeadline)
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled, "--slots", "1", "--max-waiting", "0");
        using GrpcChannel channel = server.Connect();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        TimeSpan patience = TimeSpan.FromMilliseconds(400);
        Exception? failure;
        do
        {
            // A fast machine may be done before a deadline: then a shorter one.
            DateTime? deadline = isDeadline ? DateTime.UtcNow + patience : null;
            patience /= 2;
            failure = await Record.ExceptionAsync(() => ReadAsync(
                new ImageGpt.ImageGptClient(channel).Generate(new GenerateRequest(), deadline: deadline, cancellationToken: leaving.Token),
                _ => (isDeadline ? null : leaving)?.Cancel(),
                Cancelled));
        }
        while (failure is null);

        RpcException left = Assert.IsType<RpcException>(failure);
        Assert.Equal(isDeadline ? StatusCode.DeadlineExceeded : StatusCode.Cancelled, left.StatusCode);
        await server.UntilAsync("the slot takes another request", async () =>
        {
            try
            {
                return Assert.Single(await GenerateAsync(channel, new GenerateRequest { MaxNewTokens = 1 }, Cancelled)).Finished is not null;
            }
            catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task Generate_ServerKilledMidStream_IsAnErrorAndNeverLooksComplete()
    {
        Exception? failure = null;
        int finished = ManySamples;
        for (int attempt = 0; finished == ManySamples && attempt < Attempts; attempt++)
        {
            // Where the reader comes too late the whole stream has come before the kill.
            (failure, finished) = await KilledMidStreamAsync();
        }

        Assert.NotEqual(StatusCode.OK, Assert.IsType<RpcException>(failure).StatusCode);
        Assert.True(finished < ManySamples, "the server was never killed in the middle of the stream");
    }

    const int ManySamples = 40;

    static async Task<(Exception? Failure, int Finished)> KilledMidStreamAsync()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled);
        using GrpcChannel channel = server.Connect();
        int finished = 0;
        Exception? failure = await Record.ExceptionAsync(() => GenerateAsync(channel, new GenerateRequest { Samples = ManySamples }, Cancelled, happened =>
        {
            finished += happened.EventCase == GenerateEvent.EventOneofCase.Finished ? 1 : 0;
            if (happened.EventCase == GenerateEvent.EventOneofCase.Tokens && !server.Process.HasExited)
            {
                server.Process.Kill();
            }
        }));
        return (failure, finished);
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
