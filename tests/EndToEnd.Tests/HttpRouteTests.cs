using System.Text.Json;
using Google.Api;
using Google.Protobuf.Reflection;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Every rpc has a route.</summary>
public sealed class HttpRouteTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    // The streaming ones carry no annotation: transcoding knows no server-sent events.
    static readonly Dictionary<string, (string Method, string Path)> Streams = new()
    {
        ["igpt.v1.ImageGpt.Generate"] = ("POST", "/v1/generate"),
        ["igpt.v1.Sessions.Attach"] = ("GET", "/v1/sessions/x/events"),
        ["igpt.v1.Cluster.Watch"] = ("GET", "/v1/cluster/events"),
    };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string> Rpcs =>
        [.. new[] { ImageGptReflection.Descriptor, SessionsReflection.Descriptor, ModelsReflection.Descriptor, ClusterReflection.Descriptor }.SelectMany(file => file.Services).SelectMany(service => service.Methods).Select(rpc => rpc.FullName)];

    [Theory]
    [MemberData(nameof(Rpcs))]
    public async Task Rpc_Every_HasARoute(string name)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        (string method, string path) = Streams.TryGetValue(name, out (string, string) stream) ? stream : Annotated(Find(name));

        // Nothing takes this method, so that nothing is called: the answer names those that the route takes.
        using HttpResponseMessage response = await gateway.SendAsync(HttpGateway.Request(new HttpMethod("PROPFIND"), path));
        Assert.Equal(System.Net.HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Contains(method, response.Content.Headers.Allow);
    }

    [Fact]
    public async Task UnaryRpcs_OverHttp_DoTheirWork()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string image = $$"""{"encoded":"{{Convert.ToBase64String(await File.ReadAllBytesAsync(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", "house.png"), Cancelled))}}"}""";
        JsonElement classified = await gateway.JsonAsync(HttpMethod.Post, "/v1/classify", $$"""{"model":"tiny-random-classifier","images":[{{image}}],"top_k":2}""");
        Assert.Equal(2, classified.GetProperty("results")[0].GetProperty("scores").GetArrayLength());
        Assert.Equal(64, (await gateway.JsonAsync(HttpMethod.Post, "/v1/embed", $$"""{"images":[{{image}}]}""")).GetProperty("embeddings")[0].GetProperty("values").GetArrayLength());
        Assert.True((await gateway.JsonAsync(HttpMethod.Post, "/v1/score", $$"""{"images":[{{image}}]}""")).GetProperty("results")[0].GetProperty("bitsPerDim").GetDouble() > 0);
        Assert.Equal("tiny-random", (await gateway.JsonAsync(HttpMethod.Get, "/v1/models")).GetProperty("models")[0].GetProperty("name").GetString());
        Assert.Equal("cpu", (await gateway.JsonAsync(HttpMethod.Get, "/v1/cluster")).GetProperty("silos")[0].GetProperty("devices")[0].GetProperty("name").GetString());
    }

    [Fact]
    public async Task SessionRpcs_OverHttp_Steer()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string id = "";
        await foreach (var item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"session_ttl":"300s","maxNewTokens":20,"sampling":{"seed":"18446744073709551615"}}""")))
        {
            id = HttpGateway.Parse(item).SessionId;
        }

        JsonElement session = await gateway.JsonAsync(HttpMethod.Get, $"/v1/sessions/{id}");
        Assert.Equal(("SESSION_STATE_FINISHED", "18446744073709551615"), (session.GetProperty("state").GetString(), session.GetProperty("sampling").GetProperty("seed").GetString()));
        JsonElement fork = await gateway.JsonAsync(HttpMethod.Post, $"/v1/sessions/{id}/fork", """{"atPosition":10}""");
        Assert.Equal(id, fork.GetProperty("parent").GetString());
        Assert.Equal(1, (await gateway.JsonAsync(HttpMethod.Post, $"/v1/sessions/{id}/rewind", """{"toPosition":5}""")).GetProperty("rewinds").GetInt32());
        foreach (string verb in new[] { "pause", "resume", "cancel" })
        {
            // No body and no content type: curl -X POST sends neither.
            Assert.Equal(id, (await gateway.JsonAsync(HttpMethod.Post, $"/v1/sessions/{id}/{verb}")).GetProperty("sessionId").GetString());
        }

        foreach (string gone in new[] { id, fork.GetProperty("sessionId").GetString()! })
        {
            await gateway.JsonAsync(HttpMethod.Delete, $"/v1/sessions/{gone}");
            await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{gone}"), 404, "NOT_FOUND");
        }
    }

    [Fact]
    public async Task GrpcWeb_OnTheHttpPort_DoesTheSame()
    {
        using var channel = GrpcChannel.ForAddress(silo.Server.HttpAddress!, new GrpcChannelOptions { HttpHandler = new Grpc.Net.Client.Web.GrpcWebHandler(new SocketsHttpHandler()), HttpVersion = new Version(1, 1) });
        ListModelsResponse models = await new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Assert.Equal("tiny-random", models.Models[0].Name);
        GenerateClient.Sample sample = Assert.Single(await GenerateClient.GenerateAsync(channel, new GenerateRequest { MaxNewTokens = 30 }, Cancelled));
        Assert.Equal(30, sample.Tokens.Count);
        Grpc.Core.RpcException refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => GenerateClient.GenerateAsync(channel, new GenerateRequest { Samples = 1000 }, Cancelled));
        Assert.Equal(Grpc.Core.StatusCode.InvalidArgument, refused.StatusCode);
    }

    [Fact]
    public async Task UnknownRpc_OverGrpc_IsUnimplementedWithWords()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var bytes = Grpc.Core.Marshallers.Create<byte[]>(message => message, message => message);
        var method = new Grpc.Core.Method<byte[], byte[]>(Grpc.Core.MethodType.Unary, "igpt.v9.Nothing", "Do", bytes, bytes);
        Grpc.Core.RpcException failure = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => channel.CreateCallInvoker().AsyncUnaryCall(method, null, new Grpc.Core.CallOptions(cancellationToken: Cancelled), []).ResponseAsync);
        Assert.Equal(Grpc.Core.StatusCode.Unimplemented, failure.StatusCode);
        Assert.Contains("'/igpt.v9.Nothing/Do'", failure.Status.Detail, StringComparison.Ordinal);
    }

    static MethodDescriptor Find(string name) => new[] { ImageGpt.Descriptor, Sessions.Descriptor, Models.Descriptor, Cluster.Descriptor }.SelectMany(service => service.Methods).Single(rpc => rpc.FullName == name);

    static (string Method, string Path) Annotated(MethodDescriptor rpc)
    {
        HttpRule? rule = rpc.GetOptions()?.GetExtension(AnnotationsExtensions.Http);
        Assert.True(rule is not null, $"{rpc.FullName} has no google.api.http annotation");
        (string method, string path) = rule.PatternCase switch
        {
            HttpRule.PatternOneofCase.Get => ("GET", rule.Get),
            HttpRule.PatternOneofCase.Put => ("PUT", rule.Put),
            HttpRule.PatternOneofCase.Post => ("POST", rule.Post),
            _ => ("DELETE", rule.Delete),
        };
        return (method, System.Text.RegularExpressions.Regex.Replace(path, @"\{[a-z_]+\}", "x"));
    }
}
