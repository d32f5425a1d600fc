using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

internal sealed class FakeSessions(FakeCluster cluster) : Sessions.SessionsBase
{
    internal static readonly string[] Known = ["aaaa1" + new string('0', 27), "aaaa2" + new string('0', 27)];

    public override Task<ListSessionsResponse> List(ListSessionsRequest request, ServerCallContext context) =>
        cluster.AnswerAsync(request, context, new ListSessionsResponse { Sessions = { Known.Select(id => new Session { SessionId = id, Created = new() }) } });

    public override Task<Session> Get(GetSessionRequest request, ServerCallContext context) => AnswerAsync(request, request.SessionId, context);

    public override Task<Session> Fork(ForkSessionRequest request, ServerCallContext context) => AnswerAsync(request, "session0", context);

    public override Task<Session> Rewind(RewindSessionRequest request, ServerCallContext context) => AnswerAsync(request, request.SessionId, context);

    public override Task<Session> Pause(PauseSessionRequest request, ServerCallContext context) => AnswerAsync(request, request.SessionId, context);

    public override Task<Session> Resume(ResumeSessionRequest request, ServerCallContext context) => AnswerAsync(request, request.SessionId, context);

    public override Task<Session> Cancel(CancelSessionRequest request, ServerCallContext context) => AnswerAsync(request, request.SessionId, context);

    public override Task<Empty> Delete(DeleteSessionRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());

    public override Task Attach(AttachRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context) =>
        cluster.StreamAsync(new StreamCall(request, responseStream, context), call => call.SendAsync(
            FakeCluster.Started(call.Sample, request.Rewinds, request.FromPosition),
            FakeCluster.Tokens(call.Sample, request.FromPosition, FakeCluster.Pixels - request.FromPosition),
            FakeCluster.Finished(call.Sample)));

    Task<Session> AnswerAsync(IMessage request, string id, ServerCallContext context) => cluster.AnswerAsync(
        request, context, new Session { SessionId = id, Model = "fake", Sampling = new SamplingParameters { Seed = 5 }, Width = 4, Height = 4 });
}
