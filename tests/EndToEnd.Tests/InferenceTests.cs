using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.Inference;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The Open Inference Protocol, over gRPC and HTTP.</summary>
public sealed class InferenceTests(SharedSilo silo, NpmClients npm) : IClassFixture<SharedSilo>, IClassFixture<NpmClients>
{
    const string Classifier = "tiny-random-classifier";

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static byte[] House => File.ReadAllBytes(PathOf("house.png"));

    [Fact]
    public async Task GrpcJsClient_RawTensors_DoesItsWholeJob()
    {
        string protos = Path.Combine(GoldenSet.RepositoryRoot(), "protos");
        JsonElement done = JsonDocument.Parse(await npm.RunAsync("inference.mjs", silo.Server.GrpcAddress!.Authority, protos, PathOf("house.png"))).RootElement;
        Assert.All(["live", "ready", "modelReady"], name => Assert.True(done.GetProperty(name).GetBoolean()));
        Assert.Equal("igpt", done.GetProperty("server").GetProperty("name").GetString());
        Assert.Contains("completion", done.GetProperty("model").GetProperty("outputs").EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        ClassScore[] scores = await ScoresAsync();
        float[] probabilities = [.. done.GetProperty("probabilities").EnumerateArray().Select(value => value.GetSingle())];
        Assert.Equal(scores.OrderBy(score => score.Index).Select(score => score.Probability), probabilities);
        Assert.Equal(scores[0].Label, done.GetProperty("label").GetString());
        Assert.Equal(await CompletionAsync(1000, 3), done.GetProperty("completion").EnumerateArray().Select(value => value.GetInt32()));
        Assert.Equal((int)StatusCode.InvalidArgument, done.GetProperty("refused").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task ModelInfer_TypedContents_AreAnsweredInKind()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        int[] tokens = await CompletionAsync(1023, 1);
        var request = new ModelInferRequest
        {
            ModelName = SharedSilo.Generator,
            Id = "7",
            Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "tokens", Datatype = "INT64", Shape = { 2, 1024 }, Contents = new InferTensorContents { Int64Contents = { tokens.Concat(tokens).Select(token => (long)token) } } } },
            Outputs = { new[] { "bits_per_dim", "log_probs", "embedding" }.Select(name => new ModelInferRequest.Types.InferRequestedOutputTensor { Name = name }) },
        };
        ModelInferResponse response = await client.ModelInferAsync(request, cancellationToken: Cancelled);
        Assert.Equal(("7", SharedSilo.Generator), (response.Id, response.ModelName));
        Assert.Equal(["bits_per_dim", "log_probs", "embedding"], response.Outputs.Select(output => output.Name));
        Assert.Equal([2L], response.Outputs[0].Shape);
        Assert.Equal([2L, 1024L], response.Outputs[1].Shape);
        ScoreResponse score = await new ImageGpt.ImageGptClient(channel).ScoreAsync(
            new ScoreRequest { Images = { new ImageInput { Tokens = new TokenGrid { Ids = { tokens.Select(token => (uint)token) } } } }, PerToken = true }, cancellationToken: Cancelled);
        Assert.Equal(score.Results[0].BitsPerDim, response.Outputs[0].Contents.Fp64Contents[1], 5);
        Assert.Equal(2 * 64, response.Outputs[2].Contents.Fp32Contents.Count);
    }

    [Fact]
    public async Task Infer_AsJson_ClassifiesFilesAndPixels()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        float[] expected = [.. (await ScoresAsync()).OrderBy(score => score.Index).Select(score => score.Logit)];
        JsonElement answer = await gateway.JsonAsync(HttpMethod.Post, $"/v2/models/{Classifier}/infer", $$"""{"id":"9","inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["{{Convert.ToBase64String(House)}}"]}],"outputs":[{"name":"logits"},{"name":"label"}]}""");
        Assert.Equal("9", answer.GetProperty("id").GetString());
        Assert.Equal(expected, answer.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(value => value.GetSingle()));

        // Nested lists of pixels, of another size than the model's.
        string black = $"[{string.Join(',', Enumerable.Repeat($"[{string.Join(',', Enumerable.Repeat("[0,0,0]", 8))}]", 8))}]";
        JsonElement pixels = await gateway.JsonAsync(HttpMethod.Post, $"/v2/models/{Classifier}/infer", $$"""{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,8,8,3],"data":[{{black}}]}]}""");
        Assert.Equal(["probabilities", "label"], pixels.GetProperty("outputs").EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        Assert.Equal(1, pixels.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Sum(value => value.GetDouble()), 4);
    }

    [Fact]
    public async Task Infer_TensorsBehindTheJson_AsTritonsClientsSendThem()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        byte[] house = [.. BitConverter.GetBytes(House.Length), .. House];
        byte[] json = Encoding.UTF8.GetBytes($$$"""{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":{{{house.Length}}}}}],"outputs":[{"name":"label"},{"name":"logits","parameters":{"binary_data":true}}]}""");
        var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{Classifier}/infer") { Content = new ByteArrayContent([.. json, .. house]) };
        request.Headers.Add("Inference-Header-Content-Length", $"{json.Length}");
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using HttpResponseMessage response = await gateway.SendAsync(request);
        byte[] body = await response.Content.ReadAsByteArrayAsync(Cancelled);
        Assert.True(response.IsSuccessStatusCode, Encoding.UTF8.GetString(body));
        int length = int.Parse(Assert.Single(response.Headers.GetValues("Inference-Header-Content-Length")), System.Globalization.CultureInfo.InvariantCulture);
        JsonElement answer = JsonDocument.Parse(body.AsMemory(0, length)).RootElement;
        ClassScore[] scores = await ScoresAsync();
        Assert.Equal(scores[0].Label, answer.GetProperty("outputs")[0].GetProperty("data")[0].GetString());
        Assert.Equal(scores.OrderBy(score => score.Index).Select(score => score.Logit), MemoryMarshal.Cast<byte, float>(body.AsSpan(length)).ToArray());
    }

    [Fact]
    public async Task Metadata_OverHttp_TellsTheTensorsAndWhatIsReady()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        Assert.True((await gateway.JsonAsync(HttpMethod.Get, "/v2/health/live")).GetProperty("live").GetBoolean());
        Assert.True((await gateway.JsonAsync(HttpMethod.Get, "/v2/health/ready")).GetProperty("ready").GetBoolean());
        Assert.True((await gateway.JsonAsync(HttpMethod.Get, $"/v2/models/{Classifier}/ready")).GetProperty("ready").GetBoolean());
        Assert.Equal("binary_tensor_data", (await gateway.JsonAsync(HttpMethod.Get, "/v2")).GetProperty("extensions")[0].GetString());
        JsonElement model = await gateway.JsonAsync(HttpMethod.Get, $"/v2/models/{Classifier}");
        Assert.Equal((-1, "BYTES"), (model.GetProperty("inputs")[0].GetProperty("shape")[0].GetInt32(), model.GetProperty("inputs")[0].GetProperty("datatype").GetString()));
        string version = model.GetProperty("versions")[0].GetString()!;
        Assert.Equal(version, (await gateway.JsonAsync(HttpMethod.Get, $"/v2/models/{Classifier}/versions/{version}")).GetProperty("versions")[0].GetString());
        await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"/v2/models/{Classifier}/versions/1"), 404, "NOT_FOUND");
        await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, "/v2/models/nothing/ready"), 404, "NOT_FOUND");
    }

    [Theory]
    [InlineData("{", "body")]
    [InlineData("{}", "body")]
    [InlineData("""{"inputs":[]}""", "inputs")]
    [InlineData("""{"inputs":[{"name":"tokens"}]}""", "inputs")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,3],"data":[1,2]}]}""", "inputs.tokens")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,2],"data":[1,512]}]}""", "inputs.tokens")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[-1,-2],"data":[1,2]}]}""", "inputs.tokens")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[0,2],"data":[]}]}""", "inputs")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"FP16","shape":[1,2],"data":[1,2]}]}""", "inputs.tokens")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,1],"data":["x"]}]}""", "body")]
    [InlineData("""{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["%"]}]}""", "inputs.image[0]")]
    [InlineData("""{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["AAAA"]}]}""", "images[0].encoded")]
    [InlineData("""{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":9}}]}""", "inputs.image")]
    [InlineData("""{"inputs":[{"name":"pictures","datatype":"BYTES","shape":[1],"data":["AAAA"]}]}""", "inputs")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,2],"data":[1,2]}],"outputs":[{"name":"label"}]}""", "outputs")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,2],"data":[1,2]}],"parameters":{"sed":1}}""", "parameters.sed")]
    [InlineData("""{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,2],"data":[1,2]}],"outputs":[{"name":"completion"}],"parameters":{"seed":"x"}}""", "parameters.seed")]
    public async Task Infer_WhatCannotBe_IsRefusedByName(string json, string field)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement problem = await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, $"/v2/models/{SharedSilo.Generator}/infer", json), 400, "INVALID_ARGUMENT");
        Assert.Equal(field, problem.GetProperty("field").GetString());
        Assert.Equal(problem.GetProperty("detail").GetString(), problem.GetProperty("error").GetString());
    }

    static string PathOf(string name) => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", name);

    async Task<ClassScore[]> ScoresAsync()
    {
        using GrpcChannel channel = silo.Server.Connect();
        ClassifyResponse response = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(new ClassifyRequest { Model = Classifier, Images = { new ImageInput { Encoded = ByteString.CopyFrom(House) } }, TopK = 1000 }, cancellationToken: Cancelled);
        return [.. response.Results[0].Scores];
    }

    /// <summary>The house in tokens, completed from a position on.</summary>
    async Task<int[]> CompletionAsync(int kept, long seed)
    {
        using GrpcChannel channel = silo.Server.Connect();
        var request = new ModelInferRequest
        {
            ModelName = SharedSilo.Generator,
            Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "image", Datatype = "BYTES", Shape = { 1 }, Contents = new InferTensorContents { BytesContents = { ByteString.CopyFrom(House) } } } },
            Outputs = { new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "completion" } },
            Parameters = { ["prompt_tokens"] = new InferParameter { Int64Param = kept }, ["seed"] = new InferParameter { Int64Param = seed } },
        };
        ModelInferResponse response = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(request, cancellationToken: Cancelled);
        GenerateClient.Sample sample = Assert.Single(await GenerateClient.GenerateAsync(
            channel, new GenerateRequest { Prompt = new ImageInput { Encoded = ByteString.CopyFrom(House) }, PromptTokens = (uint)kept, Sampling = new SamplingParameters { Seed = (ulong)seed } }, Cancelled));
        int[] tokens = [.. response.Outputs[0].Contents.IntContents];
        Assert.Equal(1024, tokens.Length);
        Assert.Equal(sample.Tokens, tokens[kept..]);
        return tokens;
    }
}
