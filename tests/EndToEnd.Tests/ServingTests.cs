using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;
using static IgptCluster.EndToEnd.Tests.GenerateClient;

namespace IgptCluster.EndToEnd.Tests;

public sealed class ServingTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    const int Pixels = 1024;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static byte[] Picture(string name) => File.ReadAllBytes(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", $"{name}.png"));

    [Fact]
    public async Task Reflection_ForeignClient_ListsTheServices()
    {
        using GrpcChannel channel = silo.Server.Connect();
        using AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call =
            new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancelled);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        string[] services = [.. call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name)];
        await call.RequestStream.CompleteAsync();
        Assert.All(
            ["igpt.v1.ImageGpt", "igpt.v1.Sessions", "igpt.v1.Models", "igpt.v1.Cluster", "grpc.health.v1.Health"],
            service => Assert.Contains(service, services));
    }

    [Fact]
    public async Task Health_ReadySilo_IsServingOnBothPorts()
    {
        using GrpcChannel channel = silo.Server.Connect();
        await silo.Server.UntilAsync("health is SERVING", async () =>
            (await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancelled)).Status == HealthCheckResponse.Types.ServingStatus.Serving);
        using var http = new HttpClient();
        Assert.Equal("Healthy", await http.GetStringAsync(new Uri(silo.Server.HttpAddress!, "/healthz"), Cancelled));
        Assert.Equal("Healthy", await http.GetStringAsync(new Uri(silo.Server.HttpAddress!, "/readyz"), Cancelled));
    }

    [Fact]
    public async Task Metrics_AfterAGeneration_TellOfEachReplicasSlotsQueueAndTokens()
    {
        using GrpcChannel channel = silo.Server.Connect();
        using AsyncServerStreamingCall<GenerateEvent> call = new ImageGpt.ImageGptClient(channel).Generate(new GenerateRequest { Model = SharedSilo.Generator, MaxNewTokens = 3 }, cancellationToken: Cancelled);
        await foreach (GenerateEvent _ in call.ResponseStream.ReadAllAsync(Cancelled))
        {
        }

        using var http = new HttpClient();
        string[] lines = (await http.GetStringAsync(new Uri(silo.Server.HttpAddress!, "/metrics"), Cancelled)).Split('\n');
        Assert.True(Value("igpt_replica_slots_total") > 0);
        Assert.True(Value("igpt_replica_tokens_computed_total") >= 3);
        Assert.True(Value("igpt_replica_steps_total") >= 3);
        Assert.True(Value("igpt_replica_waiting") >= 0 && Value("igpt_replica_running") >= 0 && Value("igpt_replica_slots_used") >= 0);
        Assert.Contains(lines, line => line.StartsWith("orleans_", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("dotnet_", StringComparison.Ordinal));

        double Value(string name)
        {
            string line = Assert.Single(lines, line => line.StartsWith(name + "{", StringComparison.Ordinal) && line.Contains($"model=\"{SharedSilo.Generator}\"", StringComparison.Ordinal));
            Assert.Contains("replica=\"0\"", line, StringComparison.Ordinal);
            Assert.Contains("device=\"cpu\"", line, StringComparison.Ordinal);
            return double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task ClassifyAndEmbed_GoldenModel_EqualHuggingFace()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        using JsonDocument cases = GoldenSet.Json("cases", SharedSilo.GoldenModel, "cases.json");
        GoldenTensors values = GoldenSet.Tensors("cases", SharedSilo.GoldenModel, "cases.safetensors");
        JsonElement given = WholeImages(cases, values);
        string input = given.GetProperty("inputs").GetProperty("input_ids").GetString()!;
        (int batch, int pixels) = ((int)values.Shape(input)[0], (int)values.Shape(input)[1]);
        uint side = (uint)Math.Sqrt(pixels);
        ImageInput[] images = [.. values.Integers(input).Chunk(pixels).Select(ids => new ImageInput { Tokens = new TokenGrid { Width = side, Height = side, Ids = { ids.Select(id => (uint)id) } } })];

        ClassifyResponse classified = await client.ClassifyAsync(new ClassifyRequest { Model = SharedSilo.Golden, Images = { images }, TopK = 100 }, cancellationToken: Cancelled);
        float[] expected = values.Floats(given.GetProperty("outputs").GetProperty("logits").GetString()!);
        int classes = expected.Length / batch;
        double greatest = 0;
        for (int i = 0; i < batch; i++)
        {
            Assert.Equal(classes, classified.Results[i].Scores.Count);
            Assert.Equal(1, classified.Results[i].Scores.Sum(score => score.Probability), 1e-5);
            greatest = Math.Max(greatest, classified.Results[i].Scores.Max(score => Math.Abs(score.Logit - expected[(i * classes) + (int)score.Index])));
        }

        string featuresName = given.GetProperty("outputs").GetProperty("features").GetString()!;
        float[] features = values.Floats(featuresName);
        (int layers, int width) = ((int)values.Shape(featuresName)[0], (int)values.Shape(featuresName)[2]);
        double worst = 0;
        for (int layer = 0; layer < layers; layer++)
        {
            EmbedResponse embedded = await client.EmbedAsync(new EmbedRequest { Model = SharedSilo.Golden, Images = { images }, Layer = (uint)layer }, cancellationToken: Cancelled);
            Assert.Equal((uint)layer, embedded.Layer);
            float[] actual = [.. embedded.Embeddings.SelectMany(embedding => embedding.Values)];
            worst = Math.Max(worst, actual.Zip(features.AsSpan(layer * batch * width, batch * width).ToArray(), (left, right) => Math.Abs(left - right)).Max());
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"maximum differences: logits {greatest:E2}, features {worst:E2}");
        Assert.True(greatest <= 1e-4 * expected.Max(Math.Abs) && worst <= 1e-4 * features.Max(Math.Abs));
    }

    [Fact]
    public async Task ClassifyEmbedScore_Pictures_AnswerWithinTheirDefinitions()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        ImageInput[] images = [.. new[] { "ball", "house", "rings", "sunset" }.Select(name => new ImageInput { Encoded = ByteString.CopyFrom(Picture(name)) })];
        ClassifyResponse classified = await client.ClassifyAsync(new ClassifyRequest { Model = "tiny-random-classifier", Images = { images } }, cancellationToken: Cancelled);
        Assert.All(classified.Results, result => Assert.Equal(result.Scores.OrderByDescending(score => score.Logit), result.Scores));
        Assert.All(classified.Results, result => Assert.Equal(5, result.Scores.Count));
        EmbedResponse embedded = await client.EmbedAsync(new EmbedRequest { Images = { images }, Normalize = true }, cancellationToken: Cancelled);
        Assert.Equal(2u, embedded.Layer);
        Assert.All(embedded.Embeddings, embedding => Assert.Equal(1, Math.Sqrt(embedding.Values.Sum(value => (double)value * value)), 1e-5));
        ScoreResponse scored = await client.ScoreAsync(new ScoreRequest { Images = { images }, PerToken = true }, cancellationToken: Cancelled);
        foreach (ImageScore score in scored.Results)
        {
            Assert.Equal(Pixels, score.LogProbs.Count);
            Assert.Equal(score.LogProbs.Sum(value => (double)value), score.TotalLogLikelihood, 1e-6);
            Assert.Equal(-score.TotalLogLikelihood / Math.Log(2) / (3 * Pixels), score.BitsPerDim, 1e-9);
        }
    }

    [Fact]
    public async Task Generate_Samples_KeepThePromptAndGiveTheWholeImage()
    {
        using GrpcChannel channel = silo.Server.Connect();
        Sample[] samples = await GenerateAsync(channel, Complete("ball", samples: 3, seed: 7), Cancelled);
        Assert.Equal(3, samples.Length);
        Assert.Equal(3, samples.Select(sample => sample.SessionId).Distinct().Count());
        foreach (Sample sample in samples)
        {
            Assert.Equal(512u, sample.Started!.PromptTokens);
            Assert.Equal(7ul, sample.Started.Seed);
            Assert.Equal(512, sample.Tokens.Count);
            Assert.Equal(3 * 512, sample.Rgb.Count);
            Assert.Equal(FinishReason.Completed, sample.Finished!.Reason);
            Assert.Equal(512u, sample.Finished.Usage.GeneratedTokens);
            Assert.Equal(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G' }, sample.Finished.Png.Span[..4].ToArray());
        }

        Assert.Equal(3, samples.Select(sample => string.Join(',', sample.Tokens)).Distinct().Count());
        Sample[] again = await GenerateAsync(channel, Complete("ball", samples: 3, seed: 7), Cancelled);
        Assert.Equal(samples.Select(sample => sample.Tokens), again.Select(sample => sample.Tokens));
    }

    [Fact]
    public async Task Generate_ForcedPixelsAndLength_AreKept()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var request = new GenerateRequest { MaxNewTokens = 40, Forced = { new ForcedToken { Position = 3, Token = 77 }, new ForcedToken { Position = 39, Token = 78 } } };
        Sample sample = Assert.Single(await GenerateAsync(channel, request, Cancelled));
        Assert.Equal(40, sample.Tokens.Count);
        Assert.Equal((77, 78), (sample.Tokens[3], sample.Tokens[39]));
        Assert.Equal(FinishReason.Length, sample.Finished!.Reason);
    }

    [Fact]
    public async Task Generate_ThirtyTwoStreamsAtOnce_EachIsWholeAndItsOwn()
    {
        using GrpcChannel channel = silo.Server.Connect();
        Sample[][] streams = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => GenerateAsync(
            channel,
            new GenerateRequest { MaxNewTokens = (uint)(100 + i), Sampling = new SamplingParameters { Seed = (ulong)i } },
            Cancelled)));
        for (int i = 0; i < streams.Length; i++)
        {
            Assert.Equal(100 + i, Assert.Single(streams[i]).Tokens.Count);
        }

        Assert.Equal(32, streams.Select(stream => string.Join(',', stream[0].Tokens)).Distinct().Count());
    }

    [Fact]
    public async Task Generate_ClientDisconnects_CancelsTheSession()
    {
        using GrpcChannel channel = silo.Server.Connect();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        string session = "";
        await Assert.ThrowsAnyAsync<Exception>(() => GenerateAsync(channel, new GenerateRequest(), leaving.Token, happened =>
        {
            session = happened.SessionId;
            if (happened.EventCase == GenerateEvent.EventOneofCase.Tokens)
            {
                leaving.Cancel();
            }
        }));
        Session ended = new();
        await silo.Server.UntilAsync("the session has finished", async () =>
        {
            ended = await new Sessions.SessionsClient(channel).GetAsync(new GetSessionRequest { SessionId = session }, cancellationToken: Cancelled);
            return ended.State == SessionState.Finished;
        });
        Assert.Equal(FinishReason.Cancelled, ended.Reason);
        Assert.True(ended.Position < Pixels, "the generation ran to its end although its client had gone");
    }

    [Fact]
    public async Task Generate_DeadlinePassesWithTimeToLive_PausesAndAttachGoesOn()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var started = new HashSet<string>();

        // Far more than any machine makes in twice the time in which it begins: most wait for a slot when that has passed.
        var request = new GenerateRequest { Samples = 64, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(5)), Sampling = new SamplingParameters { Seed = 5 } };
        for (TimeSpan deadline = TimeSpan.FromMilliseconds(100); started.Count < request.Samples; deadline *= 2)
        {
            // On a busy machine the deadline may pass before anything has come.
            started.Clear();
            await Assert.ThrowsAsync<RpcException>(() => ReadAsync(
                new ImageGpt.ImageGptClient(channel).Generate(request, deadline: DateTime.UtcNow + deadline, cancellationToken: Cancelled), happened => started.Add(happened.SessionId), Cancelled));
        }

        var sessions = new Sessions.SessionsClient(channel);
        Session? paused = null;
        await silo.Server.UntilAsync("all that had not finished are paused", async () =>
        {
            Session[] mine = [.. (await sessions.ListAsync(new ListSessionsRequest(), cancellationToken: Cancelled)).Sessions.Where(one => started.Contains(one.SessionId))];
            paused = mine.Where(one => one.State == SessionState.Paused).MaxBy(one => one.Position);
            return paused is not null && mine.All(one => one.State is SessionState.Paused or SessionState.Finished);
        });
        Assert.True(paused!.Position < Pixels);
        Sample whole = Assert.Single(await ReadAsync(sessions.Attach(new AttachRequest { SessionId = paused.SessionId }, cancellationToken: Cancelled), null, Cancelled));
        Assert.Equal(Pixels, whole.Tokens.Count);
        Assert.Equal(1u, whole.Finished!.Timings.Resumptions);
        foreach (Session other in (await sessions.ListAsync(new ListSessionsRequest(), cancellationToken: Cancelled)).Sessions.Where(other => other.State == SessionState.Paused))
        {
            await sessions.CancelAsync(new CancelSessionRequest { SessionId = other.SessionId }, cancellationToken: Cancelled);
        }
    }

    [Fact]
    public async Task Attach_WhileRunningAndAfterTheEnd_GivesTheSameTokens()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var sessions = new Sessions.SessionsClient(channel);
        Task<Sample[]>? live = null;
        var request = new GenerateRequest { MaxNewTokens = 300, Sampling = new SamplingParameters { Seed = 9 }, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(5)) };
        Sample first = Assert.Single(await GenerateAsync(channel, request, Cancelled, happened =>
            live ??= ReadAsync(sessions.Attach(new AttachRequest { SessionId = happened.SessionId, FromPosition = 0 }, cancellationToken: Cancelled), null, Cancelled)));
        Assert.Equal(first.Tokens, Assert.Single(await live!).Tokens);
        Sample tail = Assert.Single(await ReadAsync(
            sessions.Attach(new AttachRequest { SessionId = first.SessionId, FromPosition = 250, Stream = new StreamOptions { IncludePng = true } }, cancellationToken: Cancelled), null, Cancelled));
        Assert.Equal(first.Tokens[250..], tail.Tokens);
        Assert.True(tail.Finished!.HasPng);
    }

    [Fact]
    public async Task Requests_ThatBreakARule_NameFieldRuleAndValue()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var client = new ImageGpt.ImageGptClient(channel);
        await RefusedAsync(() => client.ClassifyAsync(new ClassifyRequest { Model = "tiny-random-classifier" }, cancellationToken: Cancelled).ResponseAsync, "images", "given 0");
        await RefusedAsync(() => client.ScoreAsync(new ScoreRequest { Images = { new ImageInput() } }, cancellationToken: Cancelled).ResponseAsync, "images[0]", "source");
        await RefusedAsync(
            () => client.ScoreAsync(new ScoreRequest { Images = { new ImageInput { Encoded = ByteString.CopyFromUtf8("<html>") } } }, cancellationToken: Cancelled).ResponseAsync,
            "images[0].encoded",
            "PNG, JPEG, WebP, GIF or BMP");
        await RefusedAsync(() => client.EmbedAsync(new EmbedRequest { Layer = 99, Images = { Grid(3) } }, cancellationToken: Cancelled).ResponseAsync, "layer", "given 99");
        await RefusedAsync(() => client.ScoreAsync(new ScoreRequest { Images = { Grid(600) } }, cancellationToken: Cancelled).ResponseAsync, "images[0].tokens.ids[0]", "0 … 511; given 600");
        await RefusedAsync(() => GenerateAsync(channel, new GenerateRequest { Samples = 1000 }, Cancelled), "samples", "given 1000");
        await RefusedAsync(() => GenerateAsync(channel, new GenerateRequest { Sampling = new SamplingParameters { TopP = 1.5 } }, Cancelled), "sampling.top_p", "given 1.5");
        await RefusedAsync(() => GenerateAsync(channel, new GenerateRequest { Forced = { new ForcedToken { Position = 5000 } } }, Cancelled), "forced[0].position", "given 5000");
        await RefusedAsync(() => GenerateAsync(channel, new GenerateRequest { PromptTokens = 1 }, Cancelled), "prompt_tokens", "given 1");
    }

    [Fact]
    public async Task Requests_ForUnknownThings_AreNotFound()
    {
        using GrpcChannel channel = silo.Server.Connect();
        var sessions = new Sessions.SessionsClient(channel);
        RpcException model = await Assert.ThrowsAsync<RpcException>(() => GenerateAsync(channel, new GenerateRequest { Model = "nothing" }, Cancelled));
        Assert.Equal(StatusCode.NotFound, model.StatusCode);
        Assert.Contains("'tiny-random'", model.Status.Detail, StringComparison.Ordinal);
        RpcException session = await Assert.ThrowsAsync<RpcException>(() => sessions.GetAsync(new GetSessionRequest { SessionId = Guid.NewGuid().ToString("N") }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, session.StatusCode);
        RpcException fork = await Assert.ThrowsAsync<RpcException>(() => sessions.ForkAsync(new ForkSessionRequest(), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, fork.StatusCode);
        RpcException scoring = await Assert.ThrowsAsync<RpcException>(() =>
            new ImageGpt.ImageGptClient(channel).ScoreAsync(new ScoreRequest { Model = "tiny-random-classifier", Images = { Grid(1) } }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, scoring.StatusCode);
    }

    [Fact]
    public async Task ModelsAndCluster_RunningSilo_DescribeIt()
    {
        using GrpcChannel channel = silo.Server.Connect();
        ListModelsResponse listed = await new Protocol.V1.Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Assert.Equal([SharedSilo.Generator, "tiny-random-classifier", SharedSilo.Golden], listed.Models.Select(model => model.Name));
        Model first = listed.Models[0];
        Assert.Equal((512 * 3, 32u, 32u, true), (first.Palette.Length, first.Width, first.Height, first.CanGenerate));
        Assert.Matches("^[0-9a-f]{16}$", first.Version);
        Assert.Contains("Random", first.Card, StringComparison.Ordinal);
        Assert.Equal("classifier", Assert.Single(listed.Models[1].Heads).Name);
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.Equal("Active", Assert.Single(cluster.Silos).Status);
        Assert.Equal("cpu", Assert.Single(cluster.Silos[0].Devices).Name);
        Assert.All(cluster.Replicas, replica => Assert.Equal((40u, "ready"), (replica.SlotsTotal, replica.State)));
    }

    [Fact]
    public async Task Requests_TwoHundredOfAllKinds_LeaveMemoryAndSlotsWhereTheyWere()
    {
        using GrpcChannel channel = silo.Server.Connect();

        // Every slot of both models once: a slot's pages count as resident when they are first written.
        await RequestsAsync(channel, 240);
        long before = Memory();
        await RequestsAsync(channel, 200);
        long grown = Memory() - before;
        TestContext.Current.TestOutputHelper!.WriteLine($"memory grew by {grown >> 20} MiB over 200 requests");
        Assert.True(grown < 100 << 20, $"memory grew by {grown >> 20} MiB");
        await silo.Server.UntilAsync("all slots are free", async () => await ServerProcess.SlotsUsedAsync(channel, SharedSilo.Generator) == 0);

        long Memory()
        {
            silo.Server.Process.Refresh();
            return silo.Server.Process.WorkingSet64;
        }
    }

    static async Task RequestsAsync(GrpcChannel channel, int count)
    {
        var client = new ImageGpt.ImageGptClient(channel);
        var picture = new ImageInput { Encoded = ByteString.CopyFrom(Picture("house")) };
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancelled }, async (i, cancellationToken) =>
        {
            switch (i % 4)
            {
                case 0:
                    await client.ClassifyAsync(new ClassifyRequest { Model = "tiny-random-classifier", Images = { picture } }, cancellationToken: cancellationToken);
                    break;
                case 1:
                    await client.EmbedAsync(new EmbedRequest { Images = { picture } }, cancellationToken: cancellationToken);
                    break;
                case 2:
                    await client.ScoreAsync(new ScoreRequest { Images = { picture } }, cancellationToken: cancellationToken);
                    break;
                default:
                    await GenerateAsync(channel, new GenerateRequest { Prompt = picture, PromptTokens = 900, MaxNewTokens = 20 }, cancellationToken);
                    break;
            }
        });
    }

    static async Task RefusedAsync(Func<Task> call, string field, string words)
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        Google.Rpc.BadRequest.Types.FieldViolation violation = Assert.Single(failure.GetRpcStatus()!.GetDetail<Google.Rpc.BadRequest>().FieldViolations);
        Assert.Equal(field, violation.Field);
        Assert.Contains(words, violation.Description, StringComparison.Ordinal);
    }

    static ImageInput Grid(uint token) => new() { Tokens = new TokenGrid { Width = 32, Height = 32, Ids = { Enumerable.Repeat(token, Pixels) } } };

    static GenerateRequest Complete(string picture, uint samples, ulong seed) => new()
    {
        Prompt = new ImageInput { Encoded = ByteString.CopyFrom(Picture(picture)) },
        Samples = samples,
        Sampling = new SamplingParameters { Seed = seed },
        Stream = new StreamOptions { IncludePng = true, PngScale = 4 },
    };

    // The case with the most tokens that is square images of colours only, without a mask.
    static JsonElement WholeImages(JsonDocument cases, GoldenTensors values)
    {
        using JsonDocument config = GoldenSet.Json("models", SharedSilo.GoldenModel, "config.json");
        int colours = config.RootElement.GetProperty("vocab_size").GetInt32() - 1;
        return cases.RootElement.GetProperty("cases").EnumerateArray().Where(IsWhole).MaxBy(one => values.Integers(Ids(one)).Length);

        bool IsWhole(JsonElement one) => one.GetProperty("kind").GetString() == "forward"
            && !one.GetProperty("inputs").TryGetProperty("attention_mask", out _)
            && one.GetProperty("outputs").TryGetProperty("features", out _)
            && Math.Sqrt(values.Shape(Ids(one))[1]) % 1 == 0
            && values.Integers(Ids(one)).Max() < colours;

        static string Ids(JsonElement one) => one.GetProperty("inputs").GetProperty("input_ids").GetString()!;
    }
}
