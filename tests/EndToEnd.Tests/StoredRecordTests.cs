using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Records of the store that are damaged, and a store that has no room for more.</summary>
public sealed class StoredRecordTests : IAsyncDisposable
{
    const int Width = 64;
    const string ModelName = "tiny-random";

    readonly StoreFolderProcess _store = new();

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    string Cluster => Path.GetFileName(_store.Folder);

    string[] Arguments => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", ModelName), "--slots", "2", "--data", _store.Folder];

    [Fact]
    public async Task Silo_RecordsDamaged_TellsOfThemAndServesTheOthers()
    {
        string damaged;
        string whole;
        await using (ServerProcess first = await ServerProcess.StartSiloAsync(Arguments))
        {
            using GrpcChannel channel = first.Connect();
            GenerateClient.Sample[] samples = await GenerateClient.GenerateAsync(channel, Request(seed: 3), Cancelled);
            (damaged, whole) = (samples[0].SessionId, samples[1].SessionId);
            await new Models.ModelsClient(channel).PutHeadAsync(Head("good"), cancellationToken: Cancelled);
            await new Models.ModelsClient(channel).PutHeadAsync(Head("bad"), cancellationToken: Cancelled);
            first.Process.Kill();
            await first.Process.WaitForExitAsync(Cancelled);
        }

        using (StoreClient client = await _store.ConnectAsync())
        {
            await DamageAsync(client, $"igpt/{Cluster}/sessions/{damaged}");
            await DamageAsync(client, $"igpt/{Cluster}/cluster/igpt.model/{ModelName}/head-bad");
            Assert.Equal("2", await client.AskAsync("HSET", $"igpt/{Cluster}/cluster/igpt.plan/plan/plan", "data", "nonsense", "etag", "1"));
        }

        await using ServerProcess second = await ServerProcess.StartSiloAsync(Arguments);
        using GrpcChannel again = second.Connect();
        var sessions = new Sessions.SessionsClient(again);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await sessions.GetAsync(new GetSessionRequest { SessionId = damaged }, cancellationToken: Cancelled));
        Assert.Equal(StatusCode.DataLoss, refused.StatusCode);
        Assert.Contains(damaged, refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(SessionState.Finished, (await sessions.GetAsync(new GetSessionRequest { SessionId = whole }, cancellationToken: Cancelled)).State);
        Assert.Equal([whole], (await sessions.ListAsync(new ListSessionsRequest(), cancellationToken: Cancelled)).Sessions.Select(session => session.SessionId));
        var images = new ImageGpt.ImageGptClient(again);
        await images.ClassifyAsync(Classify("good"), cancellationToken: Cancelled);
        refused = await Assert.ThrowsAsync<RpcException>(async () => await images.ClassifyAsync(Classify("bad"), cancellationToken: Cancelled));
        Assert.Equal(StatusCode.DataLoss, refused.StatusCode);
        await new Models.ModelsClient(again).PutHeadAsync(Head("bad"), cancellationToken: Cancelled);
        await images.ClassifyAsync(Classify("bad"), cancellationToken: Cancelled);
        using (StoreClient client = await _store.ConnectAsync())
        {
            Assert.Equal("1", await client.AskAsync("EXISTS", $"igpt/{Cluster}/set-aside/igpt.model/{ModelName}/head-bad"));
        }

        second.Signal("TERM");
        Assert.Equal(0, await second.EndAsync());
        Assert.Contains($"sessions/{damaged} of the store is damaged", second.Output, StringComparison.Ordinal);
        Assert.Contains("The cluster's plan is damaged", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silo_StoreWithoutRoom_RefusesNewRecordsUntilSomeAreDeleted()
    {
        const int records = 200; // of a megabyte
        await using ServerProcess silo = await ServerProcess.StartSiloAsync([.. Arguments, "--Igpt:Store:MaxDisk=256", "--Igpt:Store:Memory=16"]);
        using GrpcChannel channel = silo.Connect();
        var models = new Models.ModelsClient(channel);
        GenerateClient.Sample kept = (await GenerateClient.GenerateAsync(channel, Request(seed: 5), Cancelled))[0];
        await ForEachAsync(records, (client, record) => client.AskAsync("HSET", $"filler-{record}", "data", new string((char)('a' + (record % 26)), 1 << 20)));
        RpcException refused = await UntilRefusedAsync(() => models.PutHeadAsync(Head("late"), cancellationToken: Cancelled));
        Assert.Contains("256 MB (Igpt:Store:MaxDisk)", refused.Status.Detail, StringComparison.Ordinal);
        refused = await UntilRefusedAsync(() => GenerateClient.GenerateAsync(channel, Request(seed: 6), Cancelled));
        Assert.Contains("256 MB (Igpt:Store:MaxDisk)", refused.Status.Detail, StringComparison.Ordinal);

        // What is there is read and deleted as before.
        await ForEachAsync(records, async (client, record) => Assert.Equal($"{1 << 20}", await client.AskAsync("HSTRLEN", $"filler-{record}", "data")));
        var sessions = new Sessions.SessionsClient(channel);
        Assert.Equal(SessionState.Finished, (await sessions.GetAsync(new GetSessionRequest { SessionId = kept.SessionId }, cancellationToken: Cancelled)).State);
        await ForEachAsync(records, (client, record) => client.AskAsync("DEL", $"filler-{record}"));
        await silo.UntilAsync("a head is taken", async () =>
        {
            try
            {
                await models.PutHeadAsync(Head("late"), cancellationToken: Cancelled);
                return true;
            }
            catch (RpcException later) when (later.StatusCode is StatusCode.ResourceExhausted or StatusCode.Unavailable)
            {
                return false;
            }
        });
        silo.Signal("TERM");
        Assert.Equal(0, await silo.EndAsync());
    }

    static async Task DamageAsync(StoreClient client, string entry)
    {
        Assert.Equal("1", await client.AskAsync("EXISTS", entry));
        Assert.Equal("0", await client.AskAsync("HSET", entry, "data", "nonsense"));
    }

    static async Task<RpcException> UntilRefusedAsync<T>(Func<AsyncUnaryCall<T>> call) => await UntilRefusedAsync(async () => await call());

    // A store that is low on room starts again now and then, to write its records anew.
    async Task ForEachAsync(int records, Func<StoreClient, int, Task> ask)
    {
        StoreClient? client = null;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            limit.CancelAfter(TimeSpan.FromSeconds(90));
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
            for (int record = 0; record < records;)
            {
                try
                {
                    client ??= await _store.ConnectAsync();
                    await ask(client, record);
                    record++;
                }
                catch (Exception lost) when (lost is IOException or System.Net.Sockets.SocketException)
                {
                    client?.Dispose();
                    client = null;
                    await tick.WaitForNextTickAsync(limit.Token);
                }
            }
        }
        finally
        {
            client?.Dispose();
        }
    }

    // The store looks at its room once a second.
    static async Task<RpcException> UntilRefusedAsync(Func<Task> call)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(TimeSpan.FromSeconds(90));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        do
        {
            try
            {
                await call();
            }
            catch (RpcException refused) when (refused.StatusCode != StatusCode.Unavailable)
            {
                Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
                return refused;
            }
            catch (RpcException)
            {
                // The store starts again.
            }
        }
        while (await tick.WaitForNextTickAsync(limit.Token));
        throw new InvalidOperationException();
    }

    static GenerateRequest Request(ulong seed) => new()
    {
        Model = ModelName,
        Samples = 2,
        Sampling = new SamplingParameters { Seed = seed },
        SessionTtl = Duration.FromTimeSpan(TimeSpan.FromHours(1)),
    };

    static ClassifyRequest Classify(string head) => new()
    {
        Model = ModelName,
        Head = head,
        Images = { new ImageInput { Encoded = Google.Protobuf.ByteString.CopyFrom(File.ReadAllBytes(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", "house.png"))) } },
    };

    static PutHeadRequest Head(string name)
    {
        var head = new PutHeadRequest { Model = ModelName, Head = name, Layer = 2, Labels = { "x", "y" } };
        head.Weight.AddRange(new float[2 * Width]);
        return head;
    }

    public async ValueTask DisposeAsync()
    {
        // A test that failed leaves its store.
        await _store.EndAnyAsync();
        await _store.DisposeAsync();
    }
}
