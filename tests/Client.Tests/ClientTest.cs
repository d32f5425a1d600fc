using Grpc.Core;
using IgptCluster.Client.Tests.Fakes;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests;

/// <summary>Two fake gateways of one scripted cluster, and a client of both that never really waits.</summary>
public abstract class ClientTest : IAsyncLifetime
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly List<FakeGateway> _gateways = [];
    readonly CancellationTokenSource _limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private protected FakeCluster Fake { get; } = new();

    private protected JumpingTime Time { get; } = new();

    private protected List<RetryNotice> Notices { get; } = [];

    private protected IgptClient Client { get; set; } = null!;

    private protected IReadOnlyList<FakeGateway> Gateways => _gateways;

    private protected CancellationToken Cancelled => _limit.Token;

    public virtual async ValueTask InitializeAsync()
    {
        _limit.CancelAfter(Limit);
        _gateways.Add(await FakeGateway.StartAsync(Fake));
        _gateways.Add(await FakeGateway.StartAsync(Fake));
        Client = new IgptClient(Options());
    }

    public virtual async ValueTask DisposeAsync()
    {
        Client.Dispose();
        foreach (FakeGateway gateway in _gateways)
        {
            await gateway.DisposeAsync();
        }

        _limit.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected IgptClientOptions Options(bool waitsForFirstAnswer = true, params Uri[] addresses) => new()
    {
        Addresses = addresses.Length > 0 ? addresses : [.. _gateways.Select(gateway => gateway.Address)],
        Time = Time,
        Random = new Random(1),
        WaitsForFirstAnswer = waitsForFirstAnswer,
        Retrying = notice =>
        {
            lock (Notices)
            {
                Notices.Add(notice);
            }
        },
    };

    private protected async Task<List<GenerateEvent>> GenerateAsync(uint samples = 1)
    {
        var events = new List<GenerateEvent>();
        await foreach (GenerateEvent happened in Client.GenerateAsync(new GenerateRequest { Samples = samples }, cancellationToken: Cancelled))
        {
            events.Add(happened);
        }

        return events;
    }

    /// <summary>The promise: per sample one started, every token once and in order, one finished.</summary>
    private protected static void AssertExactlyOnce(IEnumerable<GenerateEvent> events, uint samples = 1, uint from = 0)
    {
        ILookup<uint, GenerateEvent> bySample = events.ToLookup(happened => happened.Sample);
        Assert.Equal(samples, (uint)bySample.Count);
        foreach (IGrouping<uint, GenerateEvent> sample in bySample)
        {
            GenerateEvent[] all = [.. sample];
            Assert.Equal(GenerateEvent.EventOneofCase.Started, all[0].EventCase);
            Assert.Equal(GenerateEvent.EventOneofCase.Finished, all[^1].EventCase);
            GeneratedTokens[] tokens = [.. all[1..^1].Select(happened => happened.Tokens)];
            Assert.All(tokens, Assert.NotNull);
            uint[] positions = [.. tokens.SelectMany(one => one.Ids.Select((_, i) => one.Position + (uint)i))];
            Assert.Equal(Enumerable.Range((int)from, FakeCluster.Pixels - (int)from).Select(position => (uint)position), positions);
            Assert.Equal(positions.Select(position => FakeCluster.Colour(sample.Key, position)), tokens.SelectMany(one => one.Ids));
            Assert.Equal(Enumerable.Range((int)from * 3, (FakeCluster.Pixels - (int)from) * 3).Select(value => (byte)value), tokens.SelectMany(one => one.Rgb));
        }
    }

    private protected static async Task<RpcException> FailureAsync(StatusCode code, Func<Task> call)
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(code, failure.StatusCode);
        return failure;
    }
}
