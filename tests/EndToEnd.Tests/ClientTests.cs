using IgptCluster.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The client library on gateways that die.</summary>
public sealed class ClientTests
{
    const int Samples = 8;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string[] Arguments => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"), "--slots", "2", "--gateway", "false"];

    [Fact]
    public async Task Client_GatewayKilledWhileItStreams_GoesOnOverTheOtherWithEveryTokenOnce()
    {
        await using StoreProcess store = await StoreProcess.StartAsync();
        await using ServerProcess silo = await ServerProcess.StartSiloOnStoreAsync(store.Address, Guid.NewGuid().ToString("N"), Arguments);
        await using ServerProcess first = await ServerProcess.StartGatewayAsync(silo, store.Address);
        await using ServerProcess second = await ServerProcess.StartGatewayAsync(silo, store.Address);
        var notices = new List<RetryNotice>();
        using var client = new IgptClient(new IgptClientOptions
        {
            Addresses = [first.GrpcAddress!, second.GrpcAddress!],
            Retrying = notice =>
            {
                lock (notices)
                {
                    notices.Add(notice);
                }
            },
        });
        var request = new GenerateRequest { Samples = Samples, Sampling = new SamplingParameters { Seed = 21 } };
        int tokens = 0;
        GenerateClient.Sample[] samples = await GenerateClient.ReadAsync(client.GenerateAsync(request, cancellationToken: Cancelled), happened =>
        {
            tokens += happened.Tokens?.Ids.Count ?? 0;
            if (tokens > 100 && !first.Process.HasExited)
            {
                first.Process.Kill();
            }
        });
        Assert.Contains(notices, notice => notice.Failed == first.GrpcAddress && notice.Next == second.GrpcAddress);
        Assert.All(samples, sample => Assert.Equal(FinishReason.Completed, sample.Finished!.Reason));
        GenerateClient.Sample[] undisturbed = await GenerateClient.ReadAsync(client.GenerateAsync(request, cancellationToken: Cancelled), null);
        Assert.Equal(undisturbed.Select(sample => sample.Tokens), samples.Select(sample => sample.Tokens));
        Assert.Equal(undisturbed.Select(sample => sample.Rgb), samples.Select(sample => sample.Rgb));

        // A unary call begins at the gateway that is gone, too, in a client that does not know yet.
        using var fresh = new IgptClient(first.GrpcAddress!, second.GrpcAddress!);
        Assert.NotEmpty((await new Cluster.ClusterClient(fresh.Invoker).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled)).Replicas);
    }
}
