using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using static IgptCluster.EndToEnd.Tests.GenerateClient;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Sessions that are forked, rewound, paused, resumed and deleted over gRPC.</summary>
public sealed class SessionControlTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    const int Pixels = 1024;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_SameOperationIdAgain_ReplaysTheSameSessions()
    {
        using GrpcChannel channel = silo.Server.Connect();
        GenerateRequest request = Request(samples: 3);
        request.OperationId = Guid.NewGuid().ToString("N");
        Sample[] first = await GenerateAsync(channel, request, Cancelled);
        Sample[] again = await GenerateAsync(channel, request, Cancelled);
        Assert.Equal(first.Select(sample => (sample.SessionId, sample.Started!.Seed)), again.Select(sample => (sample.SessionId, sample.Started!.Seed)));
        Assert.Equal(first.Select(sample => sample.Tokens), again.Select(sample => sample.Tokens));
        request.Samples = 2;
        request.Sampling = new SamplingParameters { Temperature = 0.5 };
        RpcException other = await Assert.ThrowsAsync<RpcException>(() => GenerateAsync(channel, request, Cancelled));
        Assert.Equal(StatusCode.InvalidArgument, other.StatusCode);
        request.OperationId = "short";
        Assert.Contains("16 … 128", (await Assert.ThrowsAsync<RpcException>(() => GenerateAsync(channel, request, Cancelled))).Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fork_Finished_SharesThePrefixPaintsAPixelAndLeavesTheParent()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var sessions = new Sessions.SessionsClient(channel);
        Sample parent = Assert.Single(await GenerateAsync(channel, Request(), Cancelled));
        var fork = new ForkSessionRequest { SessionId = parent.SessionId, AtPosition = 500, OperationId = "once", Forced = { new ForcedToken { Position = 501, Token = 7 } } };
        Session child = await sessions.ForkAsync(fork, cancellationToken: Cancelled);
        Assert.Equal(parent.SessionId, child.Parent);
        Assert.NotEqual(parent.Started!.Seed, child.Sampling.Seed);
        Sample forked = await FollowAsync(sessions, child.SessionId);
        Assert.Equal(parent.Tokens[..500], forked.Tokens[..500]);
        Assert.NotEqual(parent.Tokens, forked.Tokens);
        Assert.Equal((7, Pixels), (forked.Tokens[501], forked.Tokens.Count));
        Assert.Equal(child.SessionId, (await sessions.ForkAsync(fork, cancellationToken: Cancelled)).SessionId);
        Assert.Equal(parent.Tokens, (await FollowAsync(sessions, parent.SessionId)).Tokens);
        RpcException late = await Assert.ThrowsAsync<RpcException>(() => sessions.ForkAsync(
            new ForkSessionRequest { SessionId = parent.SessionId, AtPosition = Pixels }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, late.StatusCode);
        Assert.Contains("given 1024", late.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rewind_Finished_GoesOnWithOtherColoursAndIsCounted()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var sessions = new Sessions.SessionsClient(channel);
        Sample before = Assert.Single(await GenerateAsync(channel, Request(), Cancelled));
        var rewind = new RewindSessionRequest { SessionId = before.SessionId, ToPosition = 900, Sampling = new SamplingParameters { Seed = 99 }, OperationId = "once" };
        Assert.Equal(1u, (await sessions.RewindAsync(rewind, cancellationToken: Cancelled)).Rewinds);
        Sample after = await FollowAsync(sessions, before.SessionId);
        Assert.Equal(1u, after.Started!.Rewinds);
        Assert.Equal(before.Tokens[..900], after.Tokens[..900]);
        Assert.NotEqual(before.Tokens, after.Tokens);
        Assert.Equal(1u, (await sessions.RewindAsync(rewind, cancellationToken: Cancelled)).Rewinds);
        RpcException old = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(
            sessions.Attach(new AttachRequest { SessionId = before.SessionId, Rewinds = 0 }, cancellationToken: Cancelled), null, Cancelled));
        Assert.Equal(StatusCode.Aborted, old.StatusCode);
    }

    [Fact]
    public async Task PauseResumeDelete_WhileGenerating_DoAsTheySay()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var sessions = new Sessions.SessionsClient(channel);
        string id = "";
        Task<Session>? pausing = null;
        Task<Sample[]> generating = GenerateAsync(channel, Request(), Cancelled, happened =>
        {
            id = happened.SessionId;
            pausing ??= happened.Tokens is null ? null : sessions.PauseAsync(new PauseSessionRequest { SessionId = id }, cancellationToken: Cancelled).ResponseAsync;
        });
        await silo.Server.UntilAsync("it has been paused or has ended", () => Task.FromResult(pausing is { IsCompleted: true }));
        Session paused = await pausing!;
        Assert.Contains(paused.State, new[] { SessionState.Paused, SessionState.Finished });
        await sessions.ResumeAsync(new ResumeSessionRequest { SessionId = id }, cancellationToken: Cancelled);
        Assert.Equal(Pixels, Assert.Single(await generating).Tokens.Count);
        await sessions.DeleteAsync(new DeleteSessionRequest { SessionId = id }, cancellationToken: Cancelled);
        RpcException gone = await Assert.ThrowsAsync<RpcException>(() => sessions.GetAsync(new GetSessionRequest { SessionId = id }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, gone.StatusCode);
        await sessions.DeleteAsync(new DeleteSessionRequest { SessionId = id }, cancellationToken: Cancelled);
    }

    static GenerateRequest Request(uint samples = 1) => new()
    {
        Samples = samples,
        SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(5)),
    };

    static async Task<Sample> FollowAsync(Sessions.SessionsClient sessions, string id) =>
        Assert.Single(await ReadAsync(sessions.Attach(new AttachRequest { SessionId = id }, cancellationToken: Cancelled), null, Cancelled));
}
