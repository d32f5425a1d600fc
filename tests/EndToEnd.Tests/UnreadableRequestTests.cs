using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Requests that no method can answer fail alone, with the rule that they break.</summary>
public sealed class UnreadableRequestTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ImageGpt", "Classify", MethodType.Unary)]
    [InlineData("ImageGpt", "Generate", MethodType.ServerStreaming)]
    [InlineData("Models", "List", MethodType.Unary)]
    public async Task Call_MessageThatIsNotOfTheProtocol_IsRefusedWithoutAStack(string service, string name, MethodType type)
    {
        using GrpcChannel channel = silo.Server.Connect();
        var method = new Method<byte[], byte[]>(type, $"igpt.v1.{service}", name, Bytes, Bytes);
        byte[] broken = [0x0A, 0xFF, 0xFF, 0xFF];
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            if (type == MethodType.Unary)
            {
                await channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Cancelled), broken);
                return;
            }

            using AsyncServerStreamingCall<byte[]> call = channel.CreateCallInvoker().AsyncServerStreamingCall(method, null, new CallOptions(cancellationToken: Cancelled), broken);
            await call.ResponseStream.MoveNext(Cancelled);
        });
        AssertRefused(refused, $"the message is not one of the protocol (protos/igpt/v1) for /igpt.v1.{service}/{name}");
        Assert.DoesNotContain("InvalidProtocolBufferException", silo.Server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 33_000, "a request's headers must have at most 32,768 characters together")]
    [InlineData(3, 12_000, "a request's headers must have at most 32,768 characters together")]
    [InlineData(150, 10, "a request must have at most 100 headers")]
    public async Task Call_HeadersThatAreTooLarge_LeavesTheOthersOfTheConnectionAlone(int count, int length, string rule)
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        using AsyncServerStreamingCall<GenerateEvent> beside = client.Generate(new GenerateRequest { Model = SharedSilo.Generator }, cancellationToken: Cancelled);
        Assert.True(await beside.ResponseStream.MoveNext(Cancelled));
        var headers = new Grpc.Core.Metadata();
        for (int i = 0; i < count; i++)
        {
            headers.Add($"x-{i}", new string('a', length));
        }

        AssertRefused(await Assert.ThrowsAsync<RpcException>(() => new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), headers, cancellationToken: Cancelled).ResponseAsync), rule);
        GenerateEvent.EventOneofCase last = default;
        while (await beside.ResponseStream.MoveNext(Cancelled))
        {
            last = beside.ResponseStream.Current.EventCase;
        }

        Assert.Equal(GenerateEvent.EventOneofCase.Finished, last);
    }

    [Fact]
    public async Task HttpCall_HeadersThatAreTooLarge_IsRefused()
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(silo.Server.HttpAddress!, "/healthz"));
        request.Headers.Add("x-large", new string('a', 33_000));
        using HttpResponseMessage response = await client.SendAsync(request, Cancelled);
        Assert.Equal(System.Net.HttpStatusCode.RequestHeaderFieldsTooLarge, response.StatusCode);
    }

    [Theory]
    [InlineData(0, 2_000_000_000)]
    [InlineData(0, -1)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public async Task Generate_TimeToLiveThatIsNoDuration_IsRefused(long seconds, int nanos)
    {
        using GrpcChannel channel = silo.Server.Connect();
        var request = new GenerateRequest { Model = SharedSilo.Generator, SessionTtl = new Duration { Seconds = seconds, Nanos = nanos } };
        using AsyncServerStreamingCall<GenerateEvent> call = new ImageGpt.ImageGptClient(channel).Generate(request, cancellationToken: Cancelled);
        AssertRefused(await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled)), "session_ttl: must be 0 s …");
    }

    [Fact]
    public async Task Call_HugeNames_IsRefusedWithItsOwnStatus()
    {
        using GrpcChannel channel = silo.Server.Connect();
        string name = new('x', 1 << 20);
        RpcException model = await Assert.ThrowsAsync<RpcException>(() => new ImageGpt.ImageGptClient(channel).ClassifyAsync(new ClassifyRequest { Model = name }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, model.StatusCode);
        Assert.StartsWith("no model 'xx", model.Status.Detail, StringComparison.Ordinal);
        Assert.Contains($"the cluster has '{SharedSilo.Generator}'", model.Status.Detail, StringComparison.Ordinal);

        RpcException session = await Assert.ThrowsAsync<RpcException>(() => new Sessions.SessionsClient(channel).GetAsync(new GetSessionRequest { SessionId = name[..4000] }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, session.StatusCode);
        Assert.Contains("(4,000 characters)", session.Status.Detail, StringComparison.Ordinal);
    }

    static void AssertRefused(RpcException refused, string rule)
    {
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.StartsWith(rule, refused.Status.Detail, StringComparison.Ordinal);
        Assert.NotNull(refused.GetRpcStatus()?.GetDetail<BadRequest>());
    }
}
