using System.Diagnostics;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.CommandLine;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Imaging.Resampling;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Silo.Demo;

/// <summary>
/// Starts a cluster of one machine on free loopback ports and uses it as any client would, through gRPC: classifies the sample images, scores
/// them, and completes their lower halves as a stream.
/// </summary>
internal sealed class DemoRun(GrpcChannel channel, string folder)
{
    const int Samples = 3;
    const int Scale = 6;
    const ulong Seed = 20261124;

    readonly ImageGpt.ImageGptClient _client = new(channel);
    readonly Models.ModelsClient _models = new(channel);

    /// <summary>Runs the demo.</summary>
    /// <param name="settings">Settings of the command line.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal static async Task<int> RunAsync(Dictionary<string, string?> settings, CancellationToken cancellationToken)
    {
        settings["Igpt:Listen:Grpc"] = "127.0.0.1:0";
        settings["Igpt:Listen:Http"] = "127.0.0.1:0";
        settings["Igpt:Cluster:ClusterId"] = Guid.NewGuid().ToString("N");
        settings["Igpt:Store:Enabled"] = "false";
        settings["Logging:LogLevel:Default"] = "Warning";
        Console.WriteLine("IgptCluster demo: a cluster of one machine, used through gRPC as any client would.");
        var watch = Stopwatch.StartNew();
        await using SiloApplication silo = await SiloApplication.BuildAsync(settings);
        await silo.WaitUntilReadyAsync(await silo.StartAsync(cancellationToken), cancellationToken);
        Console.WriteLine($"Up in {watch.Elapsed.TotalSeconds:0.0} s: gRPC at {silo.GrpcAddress}");
        using GrpcChannel channel = GrpcChannel.ForAddress(silo.GrpcAddress!, new GrpcChannelOptions { ThrowOperationCanceledOnCancellation = true });
        string folder = Directory.CreateDirectory("demo").FullName;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silo.Stopping);
        await new DemoRun(channel, folder).RunAsync(ended.Token);
        Console.WriteLine($"Done in {watch.Elapsed.TotalSeconds:0.0} s. Pictures are in {folder}");
        return 0;
    }

    async Task RunAsync(CancellationToken cancellationToken)
    {
        ListModelsResponse served = await _models.ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken);
        foreach (Protocol.V1.Model model in served.Models)
        {
            string[] abilities = [.. model.CanGenerate ? ["generates and scores"] : Array.Empty<string>(), .. model.Heads.Select(head => $"head '{head.Name}' of {head.Labels.Count} classes")];
            Console.WriteLine($"Model {model.Name}: {string.Join(", ", abilities)}; {model.Replicas.Count} replica(s) with {model.Replicas.Sum(replica => (int)replica.SlotsTotal)} KV slots");
        }

        string[] random = [.. served.Models.Where(model => model.Card.Contains("Random weights", StringComparison.Ordinal)).Select(model => model.Name)];
        if (random.Length > 0)
        {
            Console.WriteLine($"NOTE: the weights of {string.Join(" and ", random)} are RANDOM, nothing was learned: what they tell means nothing. They show that the whole path works.");
        }

        Protocol.V1.Model[] classifiers = [.. served.Models.Where(model => model.Heads.Count > 0)];
        Protocol.V1.Model? generator = served.Models.FirstOrDefault(model => model.CanGenerate);
        if (generator is null || classifiers.Length == 0)
        {
            throw new InvalidOperationException(
                $"the demo needs a model that generates and one with a head: given {string.Join(", ", served.Models.Select(model => $"'{model.Name}'"))}; add --model PATH");
        }

        Dictionary<string, byte[]> images = SampleImages();
        foreach (Protocol.V1.Model classifier in classifiers)
        {
            await ClassifyAsync(classifier, images, cancellationToken);
        }

        await ScoreAsync(generator.Name, images, cancellationToken);
        await CompleteAsync(generator, images, cancellationToken);
    }

    static Dictionary<string, byte[]> SampleImages()
    {
        string assets = Path.Combine(AppContext.BaseDirectory, "assets", "images");
        string[] files = Directory.Exists(assets) ? [.. Directory.EnumerateFiles(assets, "*.png").Order()] : [];
        return files.Length > 0
            ? files.ToDictionary(file => Path.GetFileNameWithoutExtension(file), File.ReadAllBytes)
            : throw new InvalidOperationException($"the demo needs its sample images, *.png in '{assets}'; there is none: build again from a whole checkout");
    }

    async Task ClassifyAsync(Protocol.V1.Model model, Dictionary<string, byte[]> images, CancellationToken cancellationToken)
    {
        var request = new ClassifyRequest { Model = model.Name, TopK = 2, Images = { images.Values.Select(Encoded) } };
        ClassifyResponse response = await _client.ClassifyAsync(request, cancellationToken: cancellationToken);
        foreach ((string name, Classification result) in images.Keys.Zip(response.Results))
        {
            Console.WriteLine($"Classified {name} by {model.Name}/{model.Heads[0].Name}: {string.Join(", ", result.Scores.Select(score => $"{score.Label} {score.Probability:P0}"))}");
        }
    }

    async Task ScoreAsync(string model, Dictionary<string, byte[]> images, CancellationToken cancellationToken)
    {
        var request = new ScoreRequest { Model = model, Images = { images.Values.Select(Encoded) } };
        ScoreResponse response = await _client.ScoreAsync(request, cancellationToken: cancellationToken);
        foreach ((string name, ImageScore result) in images.Keys.Zip(response.Results))
        {
            Console.WriteLine($"Scored {name}: {-result.TotalLogLikelihood / 1024:0.000} nats per token, {result.BitsPerDim:0.000} bits per dimension");
        }
    }

    async Task CompleteAsync(Protocol.V1.Model model, Dictionary<string, byte[]> images, CancellationToken cancellationToken)
    {
        Palette palette = PaletteOf(model);
        Completion[] completions;
        using (var progress = new ProgressLine("Completing lower halves, pixels", images.Count * Samples * model.Width * model.Height / 2))
        {
            int done = 0;
            completions = await Task.WhenAll(images.Select(image => CompleteAsync(model, image.Key, image.Value, tokens => progress.Show(Interlocked.Add(ref done, tokens)), cancellationToken)));
        }

        var rows = new List<IReadOnlyList<RgbImage>>();
        foreach (Completion completion in completions)
        {
            int[][] done = completion.Tokens;
            RgbImage[] row =
            [
                Resized(completion.Original, model),
                TokenImage.Render(palette, done[0].AsSpan(0, completion.Kept), (int)model.Width, (int)model.Height),
                .. done.Select(tokens => TokenImage.Render(palette, tokens, (int)model.Width, (int)model.Height)),
            ];
            rows.Add([.. row.Select(image => image.Upscale(Scale))]);
            await WriteAsync($"{completion.Name}.png", PngEncoder.Encode(ContactSheet.Compose([rows[^1]])));
        }

        await WriteAsync("all.png", PngEncoder.Encode(ContactSheet.Compose(rows)));
        await WriteAsync("animation.png", Animation(completions, palette, model));
        Console.WriteLine("Each picture: the original, the half that was kept, then the samples. animation.png plays in any browser.");
    }

    async Task<Completion> CompleteAsync(Protocol.V1.Model model, string name, byte[] file, Action<int> made, CancellationToken cancellationToken)
    {
        var request = new GenerateRequest
        {
            Model = model.Name,
            Prompt = Encoded(file),
            Samples = Samples,
            Sampling = new SamplingParameters { Temperature = 1, Seed = Seed },
        };
        Completion? completion = null;
        var finished = new bool[Samples];
        using AsyncServerStreamingCall<GenerateEvent> call = _client.Generate(request, cancellationToken: cancellationToken);
        await foreach (GenerateEvent happened in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            switch (happened.EventCase)
            {
                case GenerateEvent.EventOneofCase.Started:
                    completion ??= new Completion(name, file, Kept: (int)happened.Started.PromptTokens, new int[Samples][]);
                    completion.Tokens[happened.Sample] = [.. TokensOf(model, file).Take(completion.Kept)];
                    break;
                case GenerateEvent.EventOneofCase.Tokens:
                    completion!.Tokens[happened.Sample] = [.. completion.Tokens[happened.Sample], .. happened.Tokens.Ids.Select(id => (int)id)];
                    made(happened.Tokens.Ids.Count);
                    break;
                case GenerateEvent.EventOneofCase.Finished:
                    finished[happened.Sample] = happened.Finished.Reason == FinishReason.Completed;
                    break;
            }
        }

        return finished.All(done => done) ? completion! : throw new InvalidOperationException($"the completion of {name} ended without finishing all {Samples} samples");
    }

    static byte[] Animation(Completion[] completions, Palette palette, Protocol.V1.Model model)
    {
        (int width, int height) = ((int)model.Width, (int)model.Height);
        var frames = new List<RgbImage>();
        for (int position = completions[0].Kept; position <= width * height; position += width / 2)
        {
            int shown = position;
            frames.Add(ContactSheet.Compose([[.. completions.Select(completion =>
                TokenImage.Render(palette, completion.Tokens[0].AsSpan(0, shown), width, height).Upscale(Scale))]]));
        }

        return ApngEncoder.Encode(frames, TimeSpan.FromMilliseconds(60), TimeSpan.FromSeconds(2));
    }

    async Task WriteAsync(string name, byte[] content)
    {
        await File.WriteAllBytesAsync(Path.Combine(folder, name), content);
        Console.WriteLine($"Wrote demo/{name} ({content.Length:N0} bytes)");
    }

    static ImageInput Encoded(byte[] file) => new() { Encoded = UnsafeByteOperations.UnsafeWrap(file) };

    static RgbImage Resized(byte[] file, Protocol.V1.Model model) => PillowResampler.Resize(ImageDecoder.Decode(file), (int)model.Width, (int)model.Height);

    /// <summary>The image as the server sees it: each pixel's nearest colour.</summary>
    static int[] TokensOf(Protocol.V1.Model model, byte[] file)
    {
        int[] tokens = new int[model.Width * model.Height];
        PaletteOf(model).Nearest(Resized(file, model).Rgb, tokens);
        return tokens;
    }

    static Palette PaletteOf(Protocol.V1.Model model) => Palette.FromClusters(Array.ConvertAll(model.Palette.ToByteArray(), value => (value / 127.5) - 1));

    sealed record Completion(string Name, byte[] Original, int Kept, int[][] Tokens);
}
