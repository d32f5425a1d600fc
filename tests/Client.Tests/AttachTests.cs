using Grpc.Core;
using IgptCluster.Protocol.V1;
using static IgptCluster.Client.Tests.Fakes.FakeCluster;

namespace IgptCluster.Client.Tests;

/// <summary>Following one session, and the cluster.</summary>
public sealed class AttachTests : ClientTest
{
    [Fact]
    public async Task Attach_BrokenBeforeAndAfterStarted_GoesOnFromWhereItWas()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Unavailable));
        Fake.Streams.Enqueue(call => call.SendAsync(Started(0, rewinds: 4, from: 3), Tokens(0, 3, 5)));
        AssertExactlyOnce(await AttachAsync(new AttachRequest { SessionId = SessionOf(0), FromPosition = 3, Stream = new StreamOptions { PngScale = 2 } }), from: 3);
        AttachRequest[] sent = [.. Fake.Seen<AttachRequest>()];
        Assert.Equal([3u, 3u, 8u], sent.Select(attach => attach.FromPosition));
        Assert.Equal([false, false, true], sent.Select(attach => attach.HasRewinds));
        Assert.All(sent, attach => Assert.Equal(2u, attach.Stream.PngScale));
        Assert.Equal(4u, sent[2].Rewinds);
    }

    [Fact]
    public async Task Attach_SessionGone_IsToldAtOnce()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.NotFound));
        await FailureAsync(StatusCode.NotFound, () => AttachAsync(new AttachRequest { SessionId = SessionOf(0) }));
        Assert.Single(Fake.Requests);
    }

    [Fact]
    public async Task Attach_BreaksWheneverItIsOpened_IsNoEndlessLoop()
    {
        for (int i = 0; i < 1000; i++)
        {
            Fake.Streams.Enqueue(call => call.SendAsync(Started()));
        }

        await FailureAsync(StatusCode.Unavailable, () => AttachAsync(new AttachRequest { SessionId = SessionOf(0) }));
    }

    [Fact]
    public async Task Watch_GatewayGone_GoesOn()
    {
        var versions = new List<string>();
        await foreach (ClusterDescription cluster in Client.WatchAsync(cancellationToken: Cancelled))
        {
            versions.Add(cluster.Version);
            if (versions.Count == 5)
            {
                break;
            }
        }

        Assert.Equal(["1", "2", "3", "4", "5"], versions);
        Assert.Equal(2, Fake.Hosts.Distinct().Count());
    }

    async Task<List<GenerateEvent>> AttachAsync(AttachRequest request)
    {
        var events = new List<GenerateEvent>();
        await foreach (GenerateEvent happened in Client.AttachAsync(request, cancellationToken: Cancelled))
        {
            events.Add(happened);
        }

        return events;
    }
}
