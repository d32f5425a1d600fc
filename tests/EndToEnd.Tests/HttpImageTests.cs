using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text.Json;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Pictures over HTTP: sent as forms, fetched as files.</summary>
public sealed class HttpImageTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/classify", "results", """{"model":"tiny-random-classifier","topK":3,"images":[IMAGE,IMAGE]}""", "model", "tiny-random-classifier", "top_k", "3")]
    [InlineData("/v1/embed", "embeddings", """{"layer":2,"normalize":true,"images":[IMAGE,IMAGE]}""", "layer", "2", "normalize", "true")]
    [InlineData("/v1/score", "results", """{"perToken":true,"images":[IMAGE,IMAGE]}""", "perToken", "true", "model", "")]
    public async Task Form_WithFiles_IsAnsweredAsJsonIs(string path, string results, string json, params string[] fields)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        using HttpResponseMessage response = await gateway.SendAsync(Form(path, fields, ("image", Picture("house")), ("images", Picture("house"))));
        string text = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        JsonElement expected = await gateway.JsonAsync(HttpMethod.Post, path, json.Replace("IMAGE", $$"""{"encoded":"{{Convert.ToBase64String(Picture("house"))}}"}""", StringComparison.Ordinal));
        JsonElement given = JsonDocument.Parse(text).RootElement;
        Assert.Equal(2, given.GetProperty(results).GetArrayLength());
        Assert.True(JsonElement.DeepEquals(expected, given), $"{expected}\n{given}");
    }

    [Fact]
    public async Task Generate_Form_CompletesTheImage()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HttpRequestMessage request = Form("/v1/generate", ["prompt_tokens", "1000", "sampling.seed", "18446744073709551615", "sampling.temperature", "0.5", "session_ttl", "300s", "priority", "-3"], ("image", Picture("ball")));
        GenerateEvent[] events = await EventsAsync(gateway, request);
        Assert.Equal((1000u, ulong.MaxValue, 0.5), (events[0].Started.PromptTokens, events[0].Started.Seed, events[0].Started.Sampling.Temperature));
        Assert.Equal(FinishReason.Completed, events[^1].Finished.Reason);
        Assert.NotEqual(JsonValueKind.Null, (await gateway.JsonAsync(HttpMethod.Get, $"/v1/sessions/{events[0].SessionId}")).GetProperty("expires").ValueKind);
    }

    [Theory]
    [InlineData("/v1/classify", "file", "file")]
    [InlineData("/v1/classify", "image", "modl", "modl", "x")]
    [InlineData("/v1/classify", "image", "top_k", "top_k", "many")]
    [InlineData("/v1/generate", "image", "sampling.top_p", "sampling.top_p", "much")]
    [InlineData("/v1/generate", "image", "session_ttl", "session_ttl", "long")]
    [InlineData("/v1/generate", "images", "images")]
    public async Task Form_ThatBreaksARule_IsAProblem(string path, string file, string field, params string[] fields)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        Assert.Equal(field, (await gateway.ProblemAsync(Form(path, fields, (file, Picture("house"))), 400, "INVALID_ARGUMENT")).GetProperty("field").GetString());
    }

    [Fact]
    public async Task Form_WithoutItsBoundary_IsAProblem()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HttpRequestMessage request = HttpGateway.Request(HttpMethod.Post, "/v1/score", "x");
        request.Content!.Headers.ContentType = new MediaTypeHeaderValue("multipart/form-data");
        await gateway.ProblemAsync(request, 400, "INVALID_ARGUMENT");
    }

    [Fact]
    public async Task Picture_OfASession_IsAsFarAsItIsMade()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HttpRequestMessage request = Form("/v1/generate", ["prompt_tokens", "512", "max_new_tokens", "100", "session_ttl", "300s", "stream.include_png", "true", "stream.png_scale", "4"], ("image", Picture("house")));
        GenerateEvent[] events = await EventsAsync(gateway, request);
        string path = $"/v1/sessions/{events[0].SessionId}";
        using HttpResponseMessage still = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.png?scale=4"));
        Assert.Equal("image/png", still.Content.Headers.ContentType?.MediaType);
        Assert.Equal(events[^1].Finished.Png.ToByteArray(), await still.Content.ReadAsByteArrayAsync(Cancelled));
        Assert.Equal("\"612r0x4\"", still.Headers.ETag?.Tag);

        HttpRequestMessage again = HttpGateway.Request(HttpMethod.Get, $"{path}.png?scale=4");
        again.Headers.IfNoneMatch.Add(still.Headers.ETag!);
        using HttpResponseMessage same = await gateway.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);

        using HttpResponseMessage moving = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.apng?scale=2"));
        Assert.Equal("image/apng", moving.Content.Headers.ContentType?.MediaType);
        byte[] animation = await moving.Content.ReadAsByteArrayAsync(Cancelled);
        int control = animation.AsSpan().IndexOf("acTL"u8);
        Assert.Equal((64u, 8u), (BinaryPrimitives.ReadUInt32BigEndian(animation.AsSpan(16)), BinaryPrimitives.ReadUInt32BigEndian(animation.AsSpan(control + 4)))); // 100 tokens in half rows of 16, and the prompt

        Assert.Equal("scale", (await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.png?scale=33"), 400, "INVALID_ARGUMENT")).GetProperty("field").GetString());
        Assert.Equal("size", (await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.png?size=3"), 400, "INVALID_ARGUMENT")).GetProperty("field").GetString());
        await gateway.JsonAsync(HttpMethod.Delete, path);
        await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.png"), 404, "NOT_FOUND");
    }

    [Fact]
    public async Task Picture_OfAPausedSession_LeavesItPaused()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string path = "";
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"sessionTtl":"300s"}""")))
        {
            path = $"/v1/sessions/{HttpGateway.Parse(item).SessionId}";
            if (item.EventType == "tokens")
            {
                break;
            }
        }

        JsonElement paused = await gateway.JsonAsync(HttpMethod.Post, $"{path}/pause");
        using HttpResponseMessage still = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, $"{path}.png"));
        Assert.Equal(HttpStatusCode.OK, still.StatusCode);
        Assert.Equal($"\"{paused.GetProperty("position")}r0x1\"", still.Headers.ETag?.Tag);
        Assert.Equal(paused.GetProperty("state").GetString(), (await gateway.JsonAsync(HttpMethod.Get, path)).GetProperty("state").GetString());
        await gateway.JsonAsync(HttpMethod.Delete, path);
    }

    [Fact]
    public async Task Session_ThatIsUnknown_LeavesNoErrorInTheLog()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);

        // The second call waits until what the first has brought about has gone.
        for (int i = 0; i < 2; i++)
        {
            await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, "/v1/sessions/0123456789abcdef0123456789abcdef"), 404, "NOT_FOUND");
        }

        Assert.DoesNotContain("NullReferenceException", silo.Server.Output, StringComparison.Ordinal);
    }

    static byte[] Picture(string name) => File.ReadAllBytes(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", $"{name}.png"));

    static async Task<GenerateEvent[]> EventsAsync(HttpGateway gateway, HttpRequestMessage request)
    {
        var events = new List<GenerateEvent>();
        await foreach (SseItem<string> item in gateway.EventsAsync(request))
        {
            events.Add(HttpGateway.Parse(item));
        }

        return [.. events];
    }

    static HttpRequestMessage Form(string path, string[] fields, params (string Name, byte[] Bytes)[] files)
    {
        var form = new MultipartFormDataContent();
        foreach (string[] field in fields.Chunk(2))
        {
            form.Add(new StringContent(field[1]), field[0]);
        }

        foreach ((string name, byte[] bytes) in files)
        {
            form.Add(new ByteArrayContent(bytes), name, $"{name}.png");
        }

        return new HttpRequestMessage(HttpMethod.Post, path) { Content = form };
    }
}
