using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Classifier heads that come and go on a running cluster.</summary>
public sealed class HeadTests(SharedSilo silo) : IClassFixture<SharedSilo>, IDisposable
{
    const int Width = 64;

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string Picture => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", "house.png");

    static ImageInput Image => new() { Encoded = ByteString.CopyFrom(File.ReadAllBytes(Picture)) };

    [Fact]
    public async Task PutHead_ByCommandLine_ClassifiesUntilItIsDeleted()
    {
        string file = Path.Combine(_folder, "shapes.json");
        await File.WriteAllTextAsync(file, $$"""{"layer":3,"labels":["round","square"],"weight":[{{string.Join(',', new float[2 * Width])}}],"bias":[-1,1.5]}""", Cancelled);
        (int code, string output, string error) = await RunAsync("models", "put-head", file);
        Assert.Equal((0, "head shapes on layer 3, 2 labels: round, square\n", ""), (code, output, error));
        Assert.Contains("shapes on layer 3, 2 labels", (await RunAsync("models")).Output, StringComparison.Ordinal);
        Assert.Contains("head shapes on layer 3, 2 labels: round, square", (await RunAsync("models", "get")).Output, StringComparison.Ordinal);
        JsonElement listed = JsonDocument.Parse((await RunAsync("models", "get", "--json")).Output).RootElement.GetProperty("heads")[0];
        Assert.Equal(("shapes", 3, 2), (listed.GetProperty("name").GetString(), listed.GetProperty("layer").GetInt32(), listed.GetProperty("labels").GetArrayLength()));

        (code, output, _) = await RunAsync("classify", Picture, "--head", "shapes", "--json");
        Assert.Equal(0, code);
        JsonElement[] scores = [.. JsonDocument.Parse(output).RootElement.GetProperty("results")[0].GetProperty("scores").EnumerateArray()];
        Assert.Equal([("square", 1.5), ("round", -1)], scores.Select(score => (score.GetProperty("label").GetString(), score.GetProperty("logit").GetDouble())));

        Assert.Equal((0, "deleted head shapes\n", ""), await RunAsync("models", "delete-head", "shapes"));
        (code, _, error) = await RunAsync("classify", Picture, "--head", "shapes");
        Assert.Equal(3, code);
        Assert.Contains("no head 'shapes'", error, StringComparison.Ordinal);
        Assert.Equal(3, (await RunAsync("models", "delete-head", "shapes")).Code);
    }

    [Fact]
    public async Task PutHead_ModelAndNameOnTheCommandLine_WinOverTheFile()
    {
        string file = Path.Combine(_folder, "probe.json");
        await File.WriteAllTextAsync(file, new JsonFormatter(JsonFormatter.Settings.Default).Format(Constant("from-file", ["x"], 1)), Cancelled);
        (int code, string output, _) = await RunAsync("models", "put-head", file, "--model", "tiny-random-classifier", "--name", "named", "--json");
        Assert.Equal((0, "named"), (code, JsonDocument.Parse(output).RootElement.GetProperty("name").GetString()));
        using GrpcChannel channel = silo.Server.Connect();
        Model model = await new Models.ModelsClient(channel).GetAsync(new GetModelRequest { Model = "tiny-random-classifier" }, cancellationToken: Cancelled);
        Assert.Equal([("classifier", true), ("named", false)], model.Heads.Select(head => (head.Name, head.ReadOnly)));
        Assert.Equal(0, (await RunAsync("models", "delete-head", "named", "--model", "tiny-random-classifier")).Code);
    }

    [Theory]
    [InlineData(2, "'nothing.json': there is no such file", null, "nothing.json")]
    [InlineData(2, "'bad.json' is not a head file", "{\"labels\": [", "bad.json")]
    [InlineData(2, "'bad.json' is not a head file", "{\"label\": []}", "bad.json")]
    [InlineData(2, "'bad.json': layer: the model has hidden states 0 … 4; given 9; weight: must have labels × embedding_size = 1 × 64", "{\"layer\": 9, \"labels\": [\"x\"]}", "bad.json")]
    [InlineData(2, "given NaN", "{\"labels\": [\"x\"], \"weight\": [\"NaN\"]}", "bad.json")]
    [InlineData(2, "head: a head's name", "{\"labels\": [\"x\"]}", "bad.json", "--name", "a b")]
    [InlineData(3, "no model 'nothing'", "{}", "bad.json", "--model", "nothing")]
    public async Task PutHead_BadFile_SaysWhichAndWhy(int expected, string words, string? content, params string[] arguments)
    {
        if (content is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(_folder, "bad.json"), content, Cancelled);
        }

        (int code, string output, string error) = await RunAsync(["models", "put-head", .. arguments]);
        Assert.Equal(expected, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.Equal("", output);
    }

    [Fact]
    public async Task PutHead_OneHotWeights_GiveTheEmbeddingOfTheLayer()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        var models = new Models.ModelsClient(channel);
        for (uint layer = 0; layer <= 4; layer++)
        {
            PutHeadRequest head = Constant("identity", [.. Enumerable.Range(0, Width).Select(i => $"{i}")], 0);
            head.Layer = layer;
            for (int i = 0; i < Width; i++)
            {
                head.Weight[(i * Width) + i] = 1;
            }

            await models.PutHeadAsync(head, cancellationToken: Cancelled);
            ClassifyResponse classified = await client.ClassifyAsync(new ClassifyRequest { Head = "identity", TopK = Width, Images = { Image } }, cancellationToken: Cancelled);
            EmbedResponse embedded = await client.EmbedAsync(new EmbedRequest { Layer = layer, Images = { Image } }, cancellationToken: Cancelled);
            float greatest = embedded.Embeddings[0].Values.Max(Math.Abs);
            Assert.All(classified.Results[0].Scores, score => Assert.Equal(embedded.Embeddings[0].Values[(int)score.Index], score.Logit, greatest * 1e-4f));
        }

        await models.DeleteHeadAsync(new DeleteHeadRequest { Head = "identity" }, cancellationToken: Cancelled);
    }

    [Fact]
    public async Task PutHead_TwoHundredOverOneBackbone_EachClassifiesWithItsOwnLabels()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        var models = new Models.ModelsClient(channel);
        string version = (await models.GetAsync(new GetModelRequest(), cancellationToken: Cancelled)).Version;
        int[] numbers = [.. Enumerable.Range(0, 200)];
        await Parallel.ForEachAsync(numbers, Cancelled, async (i, cancellationToken) =>
            await models.PutHeadAsync(Constant($"many-{i}", [$"no {i}", $"yes {i}"], i + 1), cancellationToken: cancellationToken));
        await Parallel.ForEachAsync(numbers, Cancelled, async (i, cancellationToken) =>
        {
            var grid = new ImageInput { Tokens = new TokenGrid { Width = 4, Height = 4, Ids = { Enumerable.Repeat((uint)i, 16) } } };
            ClassifyResponse response = await client.ClassifyAsync(new ClassifyRequest { Head = $"many-{i}", Images = { grid } }, cancellationToken: cancellationToken);
            Assert.Equal([($"yes {i}", i + 1f), ($"no {i}", 0f)], response.Results[0].Scores.Select(score => (score.Label, score.Logit)));
        });
        ClassifyResponse all = await client.ClassifyAsync(new ClassifyRequest { Head = "many-7", MoreHeads = { "*" }, Images = { Image } }, cancellationToken: Cancelled);
        Assert.Equal("yes 7", all.Results[0].Scores[0].Label);
        Assert.All(all.Results[0].More.Where(one => one.Head.StartsWith("many-", StringComparison.Ordinal)), one => Assert.Equal($"yes {one.Head[5..]}", one.Scores[0].Label));
        Assert.Equal(199, all.Results[0].More.Count(one => one.Head.StartsWith("many-", StringComparison.Ordinal)));
        Model model = await models.GetAsync(new GetModelRequest(), cancellationToken: Cancelled);
        Assert.Equal(numbers.Select(i => $"many-{i}").Order(), model.Heads.Select(head => head.Name).Where(name => name.StartsWith("many-", StringComparison.Ordinal)).Order());
        Assert.Equal(version, model.Version);
        Assert.Contains("more", (await RunAsync("models")).Output, StringComparison.Ordinal);
        await Parallel.ForEachAsync(numbers, Cancelled, async (i, cancellationToken) =>
            await models.DeleteHeadAsync(new DeleteHeadRequest { Head = $"many-{i}" }, cancellationToken: cancellationToken));
        Assert.DoesNotContain((await models.GetAsync(new GetModelRequest(), cancellationToken: Cancelled)).Heads, head => head.Name.StartsWith("many-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PutAndDeleteHead_OfTheCheckpointOrUnknown_HaveTheirStatus()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var models = new Models.ModelsClient(channel);
        PutHeadRequest own = Constant("classifier", ["x"], 0);
        own.Model = "tiny-random-classifier";
        await RefusedAsync(StatusCode.FailedPrecondition, "under another name", () => models.PutHeadAsync(own, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(
            StatusCode.FailedPrecondition, "belongs to model", () => models.DeleteHeadAsync(new DeleteHeadRequest { Model = own.Model, Head = own.Head }, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.NotFound, "'nothing'", () => models.DeleteHeadAsync(new DeleteHeadRequest { Head = "nothing" }, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.InvalidArgument, "head", () => models.DeleteHeadAsync(new DeleteHeadRequest(), cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.NotFound, "no model", () => models.PutHeadAsync(new PutHeadRequest { Model = "nothing" }, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.NotFound, "no model", () => models.DeleteHeadAsync(new DeleteHeadRequest { Model = "nothing", Head = "x" }, cancellationToken: Cancelled).ResponseAsync);
    }

    [Fact]
    public async Task PutHead_LargestMessages_AreTakenAndLargerOnesRefusedBySize()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var models = new Models.ModelsClient(channel);

        // 100,000 labels of 64 weights are 25.6 MB; longer labels fill the message to just below 32 MiB, above Kestrel's own 30 MB.
        PutHeadRequest large = Constant("large", [.. Enumerable.Range(0, 100_000).Select(i => $"{i:D70}")], 3);
        Assert.InRange(large.CalculateSize(), 31_000_000, 32 << 20);
        await models.PutHeadAsync(large, cancellationToken: Cancelled);
        ClassifyResponse response = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(new ClassifyRequest { Head = "large", TopK = 1, Images = { Image } }, cancellationToken: Cancelled);
        Assert.Equal((large.Labels[^1], 3f), (response.Results[0].Scores[0].Label, response.Results[0].Scores[0].Logit));
        await models.DeleteHeadAsync(new DeleteHeadRequest { Head = "large" }, cancellationToken: Cancelled);

        large.Weight.AddRange(large.Weight);
        await RefusedAsync(StatusCode.ResourceExhausted, "size", () => models.PutHeadAsync(large, cancellationToken: Cancelled).ResponseAsync);
        string file = Path.Combine(_folder, "large.json");
        await File.WriteAllTextAsync(file, new JsonFormatter(JsonFormatter.Settings.Default).Format(large), Cancelled);
        (int code, _, string error) = await RunAsync("models", "put-head", file);
        Assert.Equal(2, code);
        Assert.Contains("MaxRequestBytes", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PutHead_ThroughOneGateway_TheOtherSeesItAtOnce()
    {
        await using ServerProcess first = await ServerProcess.StartSiloAsync("--model", Bundled("tiny-random"));
        await using ServerProcess second = await ServerProcess.StartGatewayAsync(first);
        using GrpcChannel here = first.Connect();
        using GrpcChannel there = second.Connect();
        for (int i = 1; i <= 10; i++)
        {
            (GrpcChannel one, GrpcChannel other) = i % 2 == 0 ? (here, there) : (there, here);
            string[] labels = [.. Enumerable.Range(0, i).Select(label => $"{i}-{label}")];
            await new Models.ModelsClient(one).PutHeadAsync(Constant("moving", labels, i), cancellationToken: Cancelled);
            Model model = await new Models.ModelsClient(other).GetAsync(new GetModelRequest(), cancellationToken: Cancelled);
            Assert.Equal(labels, Assert.Single(model.Heads).Labels);
            ClassifyResponse classified = await new ImageGpt.ImageGptClient(other).ClassifyAsync(new ClassifyRequest { Images = { Image }, TopK = 100 }, cancellationToken: Cancelled);
            Assert.Equal(labels, classified.Results[0].Scores.OrderBy(score => score.Index).Select(score => score.Label));
        }

        await new Models.ModelsClient(here).DeleteHeadAsync(new DeleteHeadRequest { Head = "moving" }, cancellationToken: Cancelled);
        await RefusedAsync(
            StatusCode.NotFound,
            "no head 'moving'",
            () => new ImageGpt.ImageGptClient(there).ClassifyAsync(new ClassifyRequest { Head = "moving", Images = { Image } }, cancellationToken: Cancelled).ResponseAsync);
    }

    [Fact]
    public async Task Silo_CheckpointWithHeads_ServesThemReadOnlyAndItsProbeLayer()
    {
        string folder = Copy("tiny-random-classifier");
        await WriteHeadAsync(folder, "b.json", Constant("second", ["x", "y"], 2));
        await WriteHeadAsync(folder, "a.json", Constant("", ["z"], 1));
        string config = Path.Combine(folder, "config.json");
        JsonNode json = JsonNode.Parse(await File.ReadAllTextAsync(config, Cancelled))!;
        json["probe_layer"] = 1;
        await File.WriteAllTextAsync(config, json.ToJsonString(), Cancelled);
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", $"own={folder}", "--model", $"plain={Bundled("tiny-random-classifier")}");
        using GrpcChannel channel = server.Connect();
        var models = new Models.ModelsClient(channel);
        Model model = await models.GetAsync(new GetModelRequest(), cancellationToken: Cancelled);
        Assert.Equal([("classifier", true), ("a", true), ("second", true)], model.Heads.Select(head => (head.Name, head.ReadOnly)));
        Assert.Equal(1u, model.ProbeLayer);
        Model plain = await models.GetAsync(new GetModelRequest { Model = "plain" }, cancellationToken: Cancelled);
        Assert.Equal(2u, plain.ProbeLayer);
        Assert.NotEqual(plain.Version, model.Version);
        ClassifyResponse classified = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(new ClassifyRequest { Head = "second", Images = { Image } }, cancellationToken: Cancelled);
        Assert.Equal(("y", 2f), (classified.Results[0].Scores[0].Label, classified.Results[0].Scores[0].Logit));
        await RefusedAsync(StatusCode.FailedPrecondition, "another name", () => models.PutHeadAsync(Constant("a", ["z"], 1), cancellationToken: Cancelled).ResponseAsync);
    }

    [Fact(Timeout = 120_000)]
    public async Task Silo_BrokenHeadFiles_SaysAllThatIsWrongAndExitsWithTwo()
    {
        string folder = Copy("tiny-random-classifier");
        await WriteHeadAsync(folder, "a.json", Constant("classifier", ["x"], 1));
        PutHeadRequest broken = Constant("deep", ["x", "y"], 1);
        broken.Layer = 7;
        broken.Weight.RemoveAt(0);
        await WriteHeadAsync(folder, "b.json", broken);
        await File.WriteAllTextAsync(Path.Combine(folder, "heads", "c.json"), "[1, 2]", Cancelled);
        File.CreateSymbolicLink(Path.Combine(folder, "heads", "d.json"), "/dev/zero");
        File.CreateSymbolicLink(Path.Combine(folder, "heads", "e.json"), "../../blobs/1234");
        await File.WriteAllTextAsync(Path.Combine(folder, "heads", "f.json"), "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 307\n", Cancelled);
        using (var make = System.Diagnostics.Process.Start("mkfifo", Path.Combine(folder, "heads", "g.json")))
        {
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        var start = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync("--model", folder));
        Assert.Contains("exited with 2", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/a.json: head: the checkpoint has another head 'classifier'", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/b.json: layer: the model has hidden states 0 … 4; given 7", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/b.json: weight: must have labels × embedding_size = 2 × 64 = 128 values, row by row; given 127", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/c.json: is not a head file", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/d.json: must be a regular file; it is a device", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/e.json: is a link to '../../blobs/1234', which is not there", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/f.json: is a Git LFS pointer", start.Message, StringComparison.Ordinal);
        Assert.Contains("heads/g.json: must be a regular file; it is a pipe (FIFO)", start.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silo_ProbeLayerOutOfRange_SaysSoAndExitsWithTwo()
    {
        string folder = Copy("tiny-random");
        string config = Path.Combine(folder, "config.json");
        await File.WriteAllTextAsync(config, (await File.ReadAllTextAsync(config, Cancelled)).Replace("\"n_layer\"", "\"probe_layer\": 5, \"n_layer\"", StringComparison.Ordinal), Cancelled);
        var start = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync("--model", folder));
        Assert.Contains("exited with 2", start.Message, StringComparison.Ordinal);
        Assert.Contains("config.json: probe_layer: must be a whole number, 0 … n_layer = 4; given 5", start.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A head whose logits are known: that of its last label is the given one, the others' are 0.</summary>
    static PutHeadRequest Constant(string name, string[] labels, float logit) => new()
    {
        Head = name,
        Layer = 2,
        Labels = { labels },
        Weight = { new float[labels.Length * Width] },
        Bias = { labels.SkipLast(1).Select(_ => 0f).Append(logit) },
    };

    static string Bundled(string model) => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", model);

    /// <summary>A bundled checkpoint that can be changed.</summary>
    string Copy(string model)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, model)).FullName;
        Directory.CreateDirectory(Path.Combine(folder, "heads"));
        foreach (string file in Directory.EnumerateFiles(Bundled(model)))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        return folder;
    }

    static Task WriteHeadAsync(string folder, string name, PutHeadRequest head) =>
        File.WriteAllTextAsync(Path.Combine(folder, "heads", name), new JsonFormatter(JsonFormatter.Settings.Default).Format(head), Cancelled);

    static async Task RefusedAsync(StatusCode status, string words, Func<Task> call)
    {
        RpcException refused = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(status, refused.StatusCode);
        Assert.Contains(words, refused.Status.Detail, StringComparison.Ordinal);
    }

    Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => CliProcess.RunAsync(silo.Server, _folder, arguments);
}
