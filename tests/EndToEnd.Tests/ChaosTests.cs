using System.Globalization;
using IgptCluster.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Sessions whose processes die under them, as every viewer sees them. perf/Chaos does the same for long, and at random.</summary>
public sealed class ChaosTests
{
    const int Samples = 8;
    const int Tokens = 192;

    // Of all of a round: some sessions run by then, most wait.
    const int TokensBefore = 300;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    // Sampled, and greedy behind a prompt.
    static GenerateRequest[] Requests =>
    [
        new GenerateRequest { Samples = Samples, MaxNewTokens = Tokens, Sampling = new SamplingParameters { Seed = 31 } },
        new GenerateRequest { Samples = Samples, MaxNewTokens = Tokens, Sampling = new SamplingParameters { Temperature = 0 }, Prompt = new ImageInput { Tokens = Row() }, PromptTokens = 32 },
    ];

    [Fact]
    public async Task Sessions_ProcessesDieOneAfterTheOther_EveryViewerSeesTheUndisturbedTokensOnce()
    {
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(silos: 3, gateways: 2);
        int[][][] undisturbed = await RoundAsync(cluster, () => { });

        ServerProcess frozen = cluster.Silos[1];
        await RoundAsync(cluster, cluster.Silos[0].Process.Kill, undisturbed);
        await RoundAsync(cluster, cluster.Gateways[0].Process.Kill, undisturbed);
        await RoundAsync(cluster, () => frozen.Signal("STOP"), undisturbed);
        string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{frozen.SiloPort}@");
        await cluster.UntilAsync("the frozen silo is declared dead", now => now.Silos.All(silo => silo.Status == "Dead" || !silo.Address.StartsWith(address, StringComparison.Ordinal)));
        frozen.Signal("CONT");
        Assert.Equal(134, await frozen.EndAsync());

        await RoundAsync(cluster, cluster.Store.Restart, undisturbed);
        await cluster.AddSiloAsync();
        await cluster.UntilReadyAsync(2);
        await RoundAsync(cluster, () => cluster.Silos[2].Signal("TERM"), undisturbed);
        Assert.Equal(0, await cluster.Silos[2].EndAsync());

        await cluster.UntilAsync("no slot is in use", now => now.Replicas is [{ SlotsUsed: 0, Waiting: 0 }]);
        using IgptClient client = cluster.Connect();
        ListSessionsResponse left = await new Sessions.SessionsClient(client.Invoker).ListAsync(new ListSessionsRequest(), cancellationToken: Cancelled);
        Assert.NotEmpty(left.Sessions);
        Assert.All(left.Sessions, session => Assert.Equal(SessionState.Finished, session.State));
    }

    [Fact]
    public async Task Requests_RollingRestartAndScaleMeanwhile_NoneFails()
    {
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(silos: 2, gateways: 2);
        using IgptClient client = cluster.Connect();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        string model = (await new Models.ModelsClient(client.Invoker).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models[0].Name;
        Task<int>[] load = [.. Enumerable.Range(0, 4).Select(worker => LoadAsync(client, worker, stop.Token)), ScoreAsync(client, stop.Token)];
        try
        {
            foreach (ServerProcess silo in cluster.Silos[..2])
            {
                await cluster.AddSiloAsync();
                silo.Signal("TERM");
                Assert.Equal(0, await silo.EndAsync());
            }

            cluster.Gateways[0].Signal("TERM");
            Assert.Equal(0, await cluster.Gateways[0].EndAsync());
            await cluster.UntilReadyAsync(2);
            var models = new Models.ModelsClient(client.Invoker);
            await models.ScaleAsync(new ScaleModelRequest { Model = model, Replicas = 1 }, cancellationToken: Cancelled);
            await cluster.UntilReadyAsync(1);
            await models.ScaleAsync(new ScaleModelRequest { Model = model, Replicas = 0 }, cancellationToken: Cancelled);
            await cluster.UntilReadyAsync(2);
        }
        finally
        {
            await stop.CancelAsync();
        }

        Assert.All(await Task.WhenAll(load), answered => Assert.True(answered > 0, "a worker had no answer at all"));
    }

    /// <summary>Generates, does something once enough tokens have come, has a late viewer come in just then, and reads to the end. Gives the tokens of each sample of each request.</summary>
    static async Task<int[][][]> RoundAsync(ClusterProcesses cluster, Action disturb, int[][][]? undisturbed = null)
    {
        using IgptClient client = cluster.Connect();
        using IgptClient other = cluster.Connect();
        Lock once = new();
        int tokens = 0;
        Task<GenerateClient.Sample[]>? late = null;
        GenerateClient.Sample[][] samples = await Task.WhenAll(Requests.Select(request => GenerateClient.ReadAsync(client.GenerateAsync(request, cancellationToken: Cancelled), happened =>
        {
            lock (once)
            {
                tokens += happened.Tokens?.Ids.Count ?? 0;
                if (tokens > TokensBefore && late is null)
                {
                    disturb();
                    var attach = new AttachRequest { SessionId = happened.SessionId, FromPosition = happened.Tokens!.Position };
                    late = GenerateClient.ReadAsync(other.AttachAsync(attach, cancellationToken: Cancelled), null);
                }
            }
        })));
        Assert.All(samples.SelectMany(sample => sample), sample => Assert.Equal(FinishReason.Length, sample.Finished!.Reason));
        int[][][] seen = [.. samples.Select(request => request.Select(sample => sample.Tokens.ToArray()).ToArray())];
        if (undisturbed is not null)
        {
            Assert.Equal(undisturbed, seen);
        }

        GenerateClient.Sample viewed = Assert.Single(await late!);
        GenerateClient.Sample watched = samples.SelectMany(sample => sample).Single(sample => sample.SessionId == viewed.SessionId);
        Assert.Equal(watched.Tokens[^viewed.Tokens.Count..], viewed.Tokens);
        return seen;
    }

    static async Task<int> LoadAsync(IgptClient client, int worker, CancellationToken stop)
    {
        int answered = 0;
        for (; !stop.IsCancellationRequested; answered++)
        {
            var request = new GenerateRequest { Samples = 2, MaxNewTokens = 64, Sampling = new SamplingParameters { Seed = (ulong)worker } };
            GenerateClient.Sample[] samples = await GenerateClient.ReadAsync(client.GenerateAsync(request, cancellationToken: Cancelled), null);
            Assert.All(samples, sample => Assert.Equal((FinishReason.Length, 64), (sample.Finished!.Reason, sample.Tokens.Count)));
        }

        return answered;
    }

    static async Task<int> ScoreAsync(IgptClient client, CancellationToken stop)
    {
        int answered = 0;
        var image = new TokenGrid { Width = 32, Height = 32 };
        image.Ids.AddRange(Enumerable.Range(0, 1024).Select(i => (uint)(i % 500)));
        for (; !stop.IsCancellationRequested; answered++)
        {
            await new ImageGpt.ImageGptClient(client.Invoker).ScoreAsync(new ScoreRequest { Images = { new ImageInput { Tokens = image } } }, cancellationToken: Cancelled);
        }

        return answered;
    }

    static TokenGrid Row()
    {
        var grid = new TokenGrid { Width = 32, Height = 32 };
        grid.Ids.AddRange(Enumerable.Range(0, 32).Select(i => (uint)(7 * i)));
        return grid;
    }
}
