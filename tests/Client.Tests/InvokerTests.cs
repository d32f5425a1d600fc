using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using IgptCluster.Client.Tests.Fakes;
using IgptCluster.Protocol.V1;
using static IgptCluster.Client.Tests.Fakes.FakeCluster;

namespace IgptCluster.Client.Tests;

/// <summary>Unary calls of any generated client over <see cref="IgptClient.Invoker"/>.</summary>
public sealed class InvokerTests : ClientTest
{
    [Fact]
    public async Task Fork_TornTwice_IsOneOperationAndMovesOn()
    {
        Fake.Unary.Enqueue(TearAsync);
        Fake.Unary.Enqueue(TearAsync);
        var request = new ForkSessionRequest { SessionId = "a" };
        using AsyncUnaryCall<Session> call = new Sessions.SessionsClient(Client.Invoker).ForkAsync(request, cancellationToken: Cancelled);
        Assert.Equal("session0", (await call).SessionId);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.NotNull(await call.ResponseHeadersAsync);
        Assert.Equal("", request.OperationId);
        Assert.Equal(3, Fake.Requests.Count);
        Assert.Equal(32, Assert.Single(Fake.Seen<ForkSessionRequest>().Select(sent => sent.OperationId).Distinct()).Length);
        Assert.Equal([0, 1, 0], Fake.Hosts.Select(host => host == Gateways[0].Address.Authority ? 0 : 1));
    }

    [Fact]
    public async Task DeleteHead_NotFoundAfterATornCall_WasDoneByThatCall()
    {
        var models = new Models.ModelsClient(Client.Invoker);
        Fake.Unary.Enqueue(TearAsync);
        Fake.Unary.Enqueue(_ => throw Refusal(StatusCode.NotFound));
        await models.DeleteHeadAsync(new DeleteHeadRequest { Head = "h" }, cancellationToken: Cancelled);
        Fake.Unary.Enqueue(_ => throw Refusal(StatusCode.NotFound));
        await FailureAsync(StatusCode.NotFound, () => models.DeleteHeadAsync(new DeleteHeadRequest { Head = "h" }, cancellationToken: Cancelled).ResponseAsync);
        Fake.Unary.Enqueue(TearAsync);
        Fake.Unary.Enqueue(_ => throw Refusal(StatusCode.NotFound));
        await FailureAsync(StatusCode.NotFound, () => models.GetAsync(new GetModelRequest(), cancellationToken: Cancelled).ResponseAsync);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.ResourceExhausted)]
    [InlineData(StatusCode.Internal)]
    public async Task Classify_FinalRefusal_IsToldAtOnceWithItsDetails(StatusCode code)
    {
        Fake.Unary.Enqueue(_ => throw Refusal(code));
        RpcException failure = await FailureAsync(code, () => ClassifyAsync(Client));
        Assert.Equal("FAKE", failure.GetRpcStatus()!.GetDetail<Google.Rpc.ErrorInfo>().Reason);
        Assert.Single(Fake.Requests);
    }

    [Theory]
    [InlineData(StatusCode.Unavailable)]
    [InlineData(StatusCode.ResourceExhausted)]
    public async Task Classify_RefusedForNow_WaitsAsLongAsTheServerSays(StatusCode code)
    {
        Fake.Unary.Enqueue(_ => throw Refusal(code, TimeSpan.FromSeconds(3)));
        await ClassifyAsync(Client);
        Assert.InRange(Assert.Single(Time.Waits).TotalSeconds, 3, 3.1);
        Assert.Equal(code, Assert.Single(Notices).Failure.StatusCode);
    }

    [Fact]
    public async Task Classify_RefusedAgainAndAgain_BacksOffToTheLongestWaitAndGivesUpAtTheLimit()
    {
        for (int i = 0; i < 1000; i++)
        {
            Fake.Unary.Enqueue(_ => throw Refusal(StatusCode.Unavailable));
        }

        await FailureAsync(StatusCode.Unavailable, () => ClassifyAsync(Client));
        double[] most = [.. Enumerable.Range(0, Time.Waits.Count).Select(i => Math.Min(0.1 * Math.Pow(2, i), 5))];
        Assert.All(Time.Waits.Zip(most), wait => Assert.InRange(wait.First.TotalSeconds, wait.Second / 2, wait.Second));
        Assert.InRange(Time.Passed, TimeSpan.FromSeconds(114), TimeSpan.FromSeconds(120));
    }

    [Fact]
    public async Task Classify_GatewayNotThere_IsCalledAtTheOther()
    {
        using var client = new IgptClient(Options(waitsForFirstAnswer: false, Nowhere(), Gateways[1].Address));
        await ClassifyAsync(client);
        Assert.Single(Fake.Requests);
    }

    [Fact]
    public async Task Classify_GatewaysNotThereAtFirst_FailsAfterOneAttemptEach()
    {
        using var client = new IgptClient(Options(waitsForFirstAnswer: false, Nowhere(), Nowhere()));
        RpcException failure = await FailureAsync(StatusCode.Unavailable, () => ClassifyAsync(client));
        Assert.Null(failure.GetRpcStatus());
        Assert.Single(Notices);
        Assert.Equal(TimeSpan.Zero, Time.Passed);
    }

    [Fact]
    public async Task Classify_GatewayGoneThatHadAnswered_IsTriedForTheLimit()
    {
        using var client = new IgptClient(Options(waitsForFirstAnswer: false, Gateways[0].Address));
        await ClassifyAsync(client);
        await Gateways[0].DisposeAsync();
        await FailureAsync(StatusCode.Unavailable, () => ClassifyAsync(client));
        Assert.InRange(Time.Passed, TimeSpan.FromSeconds(114), TimeSpan.FromSeconds(120));
    }

    /// <summary>A stopped process still takes connections, and says nothing more: only pings tell.</summary>
    [Fact]
    public async Task Classify_GatewayFrozen_IsLeftForTheOther()
    {
        using var frozen = new TcpListener(IPAddress.Loopback, 0);
        frozen.Start();
        using var client = new IgptClient(new IgptClientOptions
        {
            Addresses = [new Uri($"http://{frozen.LocalEndpoint}"), Gateways[0].Address],
            PingDelay = TimeSpan.FromSeconds(1),
            PingTimeout = TimeSpan.FromSeconds(1),
            Time = Time,
        });
        await ClassifyAsync(client);
        Assert.Single(Fake.Requests);
    }

    [Fact]
    public async Task Classify_CancelledBetweenAttempts_IsCancelledAsGeneratedClientsTellIt()
    {
        using var leave = new CancellationTokenSource();
        using var client = new IgptClient(new IgptClientOptions { Addresses = [Gateways[0].Address], Retrying = _ => leave.Cancel() });
        Fake.Unary.Enqueue(_ => throw Refusal(StatusCode.Unavailable, TimeSpan.FromSeconds(100)));
        await FailureAsync(StatusCode.Cancelled, () => new ImageGpt.ImageGptClient(client.Invoker).ClassifyAsync(new ClassifyRequest(), cancellationToken: leave.Token).ResponseAsync);
        Assert.Single(Fake.Requests);
    }

    [Fact]
    public void Options_BrokenRule_IsNamed()
    {
        Assert.Contains("Addresses", Assert.Throws<ArgumentException>(() => new IgptClient()).Message, StringComparison.Ordinal);
        Assert.Contains("ftp://a", Assert.Throws<ArgumentException>(() => new IgptClient(new Uri("ftp://a"))).Message, StringComparison.Ordinal);
    }

    Task<ClassifyResponse> ClassifyAsync(IgptClient client) => new ImageGpt.ImageGptClient(client.Invoker).ClassifyAsync(new ClassifyRequest(), cancellationToken: Cancelled).ResponseAsync;

    static Task TearAsync(ServerCallContext context)
    {
        FakeGateway.Tear(context);
        return Task.CompletedTask;
    }

    static Uri Nowhere()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://{listener.LocalEndpoint}");
    }
}
