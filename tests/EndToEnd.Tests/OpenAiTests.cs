using System.Buffers.Binary;
using System.Text.Json;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>OpenAI's images API, with OpenAI's own client and without.</summary>
public sealed class OpenAiTests(SharedSilo silo, NpmClients npm) : IClassFixture<SharedSilo>, IClassFixture<NpmClients>
{
    const int Side = 32;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task OpenAiClient_Unchanged_DoesItsWholeJob()
    {
        string address = silo.Server.HttpAddress!.ToString().TrimEnd('/');
        JsonElement done = JsonDocument.Parse(await npm.RunAsync("openai-images.mjs", address, PathOf("house.png"), PathOf("mask.png"))).RootElement;
        JsonElement[] images = [.. done.GetProperty("generated").GetProperty("data").EnumerateArray()];
        Assert.Equal(2, images.Length);
        Assert.All(images, image => Assert.Equal((256, 256), SizeOf(image)));
        Assert.Equal(2 * Side * Side, done.GetProperty("generated").GetProperty("usage").GetProperty("output_tokens").GetInt32());
        Assert.Equal("RIFF"u8.ToArray(), done.GetProperty("webp").GetProperty("data")[0].GetProperty("b64_json").GetBytesFromBase64()[..4]);
        Assert.StartsWith($"{address}/v1/sessions/", done.GetProperty("edited").GetProperty("data")[0].GetProperty("url").GetString(), StringComparison.Ordinal);

        JsonElement[] events = [.. done.GetProperty("events").EnumerateArray()];
        Assert.Equal(["image_generation.partial_image", "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"], events.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal([0, 1, 2], events[..3].Select(one => one.GetProperty("partial_image_index").GetInt32()));
        Assert.All(events, one => Assert.Equal((64, 64), SizeOf(one)));

        // The seed is the same, so the stream ends with the first of the images above, of which the partial ones are the beginning.
        Assert.Equal(4, events.Select(one => one.GetProperty("b64_json").GetString()).Distinct().Count());
        Assert.Equal(["image_edit.partial_image", "image_edit.completed"], done.GetProperty("edits").EnumerateArray().Select(one => one.GetProperty("type").GetString()));

        JsonElement[] refusals = [.. done.GetProperty("refusals").EnumerateArray()];
        Assert.Equal(["BadRequestError", "BadRequestError", "NotFoundError", "BadRequestError"], refusals.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal(["prompt", "size", "model", "n"], refusals.Select(one => one.GetProperty("param").GetString()));
        Assert.Contains("understands no text", refusals[0].GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Edit_Mask_PaintsWhereItIsTransparentAndNowhereElse()
    {
        byte[] original = await OriginalAsync();
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement answer = await EditAsync(gateway, ("image", "house.png"), ("mask", "mask.png"));
        string session = new Uri(answer.GetProperty("data")[0].GetProperty("url").GetString()!).Segments[^1].Split('.')[0];
        using GrpcChannel channel = silo.Server.Connect();
        GenerateClient.Sample sample = Assert.Single(await GenerateClient.ReadAsync(new Sessions.SessionsClient(channel).Attach(new AttachRequest { SessionId = session }, cancellationToken: Cancelled), null, Cancelled));
        byte[] edited = [.. sample.Started!.PromptRgb, .. sample.Rgb];
        Assert.Equal(8u * Side + 8, sample.Started.PromptTokens);
        int painted = 0;
        for (int position = 0; position < (Side * Side) - 1; position++)
        {
            bool isSame = edited.AsSpan(position * 3, 3).SequenceEqual(original.AsSpan(position * 3, 3));
            bool isMasked = position / Side is >= 8 and < 16 && position % Side is >= 8 and < 24;
            Assert.True(isSame || isMasked, $"pixel {position} is not masked, and another");
            painted += isSame ? 0 : 1;
        }

        Assert.True(painted > 64, $"{painted} of 128 masked pixels are painted");
    }

    [Fact]
    public async Task Edit_WithoutMask_PaintsTheLowerHalf()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement usage = (await EditAsync(gateway, ("image[]", "house.png"))).GetProperty("usage");
        Assert.Equal((Side * Side / 2, Side * Side / 2), (usage.GetProperty("input_tokens").GetInt32(), usage.GetProperty("output_tokens").GetInt32()));
    }

    [Theory]
    [InlineData("mask", "image", "house.png", "mask", "house.png")] // nothing of it is transparent
    [InlineData("image", "mask", "mask.png")]
    [InlineData("picture", "picture", "house.png")]
    public async Task Edit_FilesThatCannotBe_AreRefused(string field, params string[] files)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement problem = await gateway.ProblemAsync(Form([.. files.Chunk(2).Select(file => (file[0], file[1]))]), 400, "INVALID_ARGUMENT");
        Assert.Equal(field, problem.GetProperty("error").GetProperty("param").GetString());
        Assert.Equal(problem.GetProperty("detail").GetString(), problem.GetProperty("error").GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("/v1/images/generations", """{"prompt":"x"}""", "prompt")]
    [InlineData("/v1/images/generations", """{"promt":""}""", "promt")]
    [InlineData("/v1/images/generations", "[]", "body")]
    [InlineData("/v1/images/generations", """{"output_format":"jpeg"}""", "output_format")]
    [InlineData("/v1/images/generations", """{"response_format":"url","stream":true}""", "response_format")]
    [InlineData("/v1/images/generations", """{"partial_images":4}""", "partial_images")]
    [InlineData("/v1/images/generations", """{"background":"transparent"}""", "background")]
    [InlineData("/v1/images/generations", """{"stream":"maybe"}""", "stream")]
    public async Task Request_ThatBreaksARule_IsRefused(string path, string json, string field)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        Assert.Equal(field, (await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, path, json), 400, "INVALID_ARGUMENT")).GetProperty("error").GetProperty("param").GetString());
    }

    static string PathOf(string name) => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", name);

    static (int Width, int Height) SizeOf(JsonElement image)
    {
        byte[] png = image.GetProperty("b64_json").GetBytesFromBase64();
        return (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
    }

    /// <summary>The picture in the model's colours: all but its last pixel, which a generation must make.</summary>
    async Task<byte[]> OriginalAsync()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var request = new GenerateRequest { Prompt = new ImageInput { Encoded = Google.Protobuf.ByteString.CopyFrom(await File.ReadAllBytesAsync(PathOf("house.png"), Cancelled)) }, PromptTokens = (Side * Side) - 1 };
        return [.. Assert.Single(await GenerateClient.GenerateAsync(channel, request, Cancelled)).Started!.PromptRgb];
    }

    static async Task<JsonElement> EditAsync(HttpGateway gateway, params (string Name, string File)[] files)
    {
        using HttpResponseMessage response = await gateway.SendAsync(Form(files));
        string text = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    static HttpRequestMessage Form(params (string Name, string File)[] files)
    {
        var form = new MultipartFormDataContent { { new StringContent("url"), "response_format" } };
        foreach ((string name, string file) in files)
        {
            form.Add(new ByteArrayContent(File.ReadAllBytes(PathOf(file))), name, file);
        }

        return new HttpRequestMessage(HttpMethod.Post, "/v1/images/edits") { Content = form };
    }
}
