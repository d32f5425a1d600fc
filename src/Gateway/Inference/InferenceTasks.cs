using Google.Protobuf;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Gateway.Services;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Inference;

/// <summary>The kinds of work as tensors: which of them a request wants follows from the names of the outputs that it asks for. Any thread.</summary>
internal sealed class InferenceTasks(ImageGptService service, ImageReader reader, IOptions<GatewayOptions> options)
{
    const string Image = "image";
    const string Pixels = "pixels";
    const string Tokens = "tokens";

    static readonly string[] Classification = ["probabilities", "logits", "label"];
    static readonly string[] Embedding = ["embedding"];
    static readonly string[] Score = ["log_likelihood", "bits_per_dim", "log_probs"];
    static readonly string[] Completion = ["completion", "completion_png"];

    /// <summary>The tensors of which a request has one.</summary>
    public static (string Name, string Datatype, long[] Shape)[] Inputs(ServedModel model) =>
        [(Image, Tensor.Bytes, [-1]), (Pixels, "UINT8", [-1, -1, -1, 3]), (Tokens, "INT32", [-1, model.Processor is { } processor ? processor.Width * processor.Height : -1])];

    /// <summary>The tensors that a model can give.</summary>
    /// <param name="model">The model.</param>
    public static (string Name, string Datatype, long[] Shape)[] Outputs(ServedModel model)
    {
        ModelDescription description = model.Description;
        (string, string, long[])[] classification = [("probabilities", "FP32", [-1, -1]), ("logits", "FP32", [-1, -1]), ("label", Tensor.Bytes, [-1])];
        (string, string, long[])[] generation = [("log_likelihood", "FP64", [-1]), ("bits_per_dim", "FP64", [-1]), ("log_probs", "FP32", [-1, -1]), ("completion", "INT32", [-1, -1]), ("completion_png", Tensor.Bytes, [-1])];
        return [.. description.Heads.Length > 0 ? classification : [], ("embedding", "FP32", [-1, description.EmbeddingSize]), .. description.CanGenerate ? generation : []];
    }

    /// <summary>Does what is asked for.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">The given tensors.</param>
    /// <param name="wanted">Names of the wanted ones; none = those that the model usually gives.</param>
    /// <param name="parameters">How.</param>
    /// <param name="context">The call.</param>
    /// <exception cref="IgptException">InvalidArgument and as the services' methods.</exception>
    public async Task<Tensor[]> RunAsync(ServedModel model, Tensor[] inputs, string[] wanted, InferenceParameters parameters, ServerCallContext context)
    {
        parameters.RequireKnown();
        if (wanted.Length == 0)
        {
            wanted = model.Description.Heads.Length > 0 ? ["probabilities", "label"] : Embedding;
        }

        string[] known = [.. Outputs(model).Select(output => output.Name)];
        string unknown = wanted.FirstOrDefault(name => !known.Contains(name)) ?? "";
        Require.That(unknown.Length == 0, "outputs", $"must be of {string.Join(", ", known)}; given {Echo.Quoted(unknown)}");
        ImageInput[] images = Images(model, inputs);
        Require.That(images.Length > 0, "inputs", "at least one image is needed; given 0");
        var made = new List<Tensor>();
        if (wanted.Any(Classification.Contains))
        {
            made.AddRange(await ClassifyAsync(model, images, parameters, context));
        }

        if (wanted.Any(Embedding.Contains))
        {
            made.Add(await EmbedAsync(model, images, parameters, context));
        }

        if (wanted.Any(Score.Contains))
        {
            made.AddRange(await ScoreAsync(model, images, context));
        }

        if (wanted.Any(Completion.Contains))
        {
            made.AddRange(await CompleteAsync(model, images, parameters, context));
        }

        return [.. wanted.Distinct().Select(name => made.First(tensor => tensor.Name == name))];
    }

    async Task<Tensor[]> ClassifyAsync(ServedModel model, ImageInput[] images, InferenceParameters parameters, ServerCallContext context)
    {
        ClassifyResponse response = await service.Classify(new ClassifyRequest { Model = model.Description.Name, Head = parameters.Text("head"), Images = { images }, TopK = uint.MaxValue }, context);
        ClassScore[][] rows = [.. response.Results.Select(result => result.Scores.OrderBy(score => score.Index).ToArray())];
        long classes = rows[0].Length;
        return
        [
            Tensor.Of("probabilities", "FP32", [.. rows.SelectMany(row => row.Select(score => score.Probability))], rows.Length, classes),
            Tensor.Of("logits", "FP32", [.. rows.SelectMany(row => row.Select(score => score.Logit))], rows.Length, classes),
            Tensor.Of("label", [.. response.Results.Select(result => System.Text.Encoding.UTF8.GetBytes(result.Scores[0].Label))]),
        ];
    }

    async Task<Tensor> EmbedAsync(ServedModel model, ImageInput[] images, InferenceParameters parameters, ServerCallContext context)
    {
        var request = new EmbedRequest { Model = model.Description.Name, Images = { images }, Normalize = parameters.IsOn("normalize") };
        if (parameters.Whole("layer") is { } layer)
        {
            request.Layer = (uint)Math.Min(layer, uint.MaxValue);
        }

        EmbedResponse response = await service.Embed(request, context);
        return Tensor.Of("embedding", "FP32", [.. response.Embeddings.SelectMany(embedding => embedding.Values)], response.Embeddings.Count, response.Embeddings[0].Values.Count);
    }

    async Task<Tensor[]> ScoreAsync(ServedModel model, ImageInput[] images, ServerCallContext context)
    {
        ScoreResponse response = await service.Score(new ScoreRequest { Model = model.Description.Name, Images = { images }, PerToken = true }, context);
        int[] lengths = [.. response.Results.Select(result => result.LogProbs.Count)];
        Require.That(lengths.Distinct().Count() == 1, "inputs", "the images of one request must have as many pixels each to be scored in one tensor");
        return
        [
            Tensor.Of("log_likelihood", "FP64", [.. response.Results.Select(result => result.TotalLogLikelihood)], lengths.Length),
            Tensor.Of("bits_per_dim", "FP64", [.. response.Results.Select(result => result.BitsPerDim)], lengths.Length),
            Tensor.Of("log_probs", "FP32", [.. response.Results.SelectMany(result => result.LogProbs)], lengths.Length, lengths[0]),
        ];
    }

    async Task<Tensor[]> CompleteAsync(ServedModel model, ImageInput[] images, InferenceParameters parameters, ServerCallContext context)
    {
        Require.That(images.Length <= options.Value.MaxSamples, "inputs", $"at most {options.Value.MaxSamples} images are completed at once; given {images.Length}");
        (int[] Tokens, TokenImageInput Image)[] completed = await Task.WhenAll(images.Select(image => CompleteAsync(model, image, parameters, context)));
        Require.That(completed.All(one => one.Tokens.Length == completed[0].Tokens.Length), "inputs", "the images of one request must have as many pixels each to be completed in one tensor");
        Tensor tokens = Tensor.Of("completion", "INT32", [.. completed.SelectMany(one => one.Tokens)], completed.Length, completed[0].Tokens.Length);
        return model.Processor is not { } processor ? [tokens]
            : [tokens, Tensor.Of("completion_png", [.. completed.Select(one => PngEncoder.Encode(TokenImage.Render(processor.Palette, one.Tokens, one.Image.Width, one.Image.Height)))])];
    }

    async Task<(int[] Tokens, TokenImageInput Image)> CompleteAsync(ServedModel model, ImageInput given, InferenceParameters parameters, ServerCallContext context)
    {
        TokenImageInput image = await reader.ReadAsync(model, given, "inputs", context.CancellationToken);
        var request = new GenerateRequest
        {
            Model = model.Description.Name,
            Prompt = new ImageInput { Tokens = new TokenGrid { Width = (uint)image.Width, Height = (uint)image.Height, Ids = { image.Tokens.Select(id => (uint)id) } } },
            Sampling = parameters.Sampling(),
            Stream = new StreamOptions { OmitRgb = true },
        };
        if (parameters.Whole("prompt_tokens") is { } kept)
        {
            request.PromptTokens = (uint)Math.Min(kept, uint.MaxValue);
        }

        var sample = new CompletedSample(image.Tokens);
        await service.Generate(request, sample, context);
        return (sample.Tokens, image);
    }

    static ImageInput[] Images(ServedModel model, Tensor[] inputs)
    {
        Require.That(inputs.Length == 1, "inputs", $"one tensor is taken, {Image}, {Pixels} or {Tokens}; given {inputs.Length}");
        Tensor input = inputs[0];
        switch (input.Name)
        {
            case Image:
                Require.That(input.ElementSize is null, $"inputs.{Image}", $"the datatype must be {Tensor.Bytes}: image files; given {input.Datatype}");
                return [.. input.Elements().Select(file => new ImageInput { Encoded = UnsafeByteOperations.UnsafeWrap(file) })];
            case Pixels:
                long[] shape = input.Shape.Length == 3 ? [1, .. input.Shape] : input.Shape;
                Require.That(input.Datatype == "UINT8" && shape.Length == 4 && shape[3] == 3 && shape[1] > 0 && shape[2] > 0, $"inputs.{Pixels}", $"must be UINT8 [images, height, width, 3]; given {input.Datatype} [{string.Join(", ", input.Shape)}]");
                int bytes = (int)(shape[1] * shape[2] * shape[3]);
                return [.. Enumerable.Range(0, (int)shape[0]).Select(i => new ImageInput { Encoded = UnsafeByteOperations.UnsafeWrap(PngEncoder.Encode(new RgbImage((int)shape[2], (int)shape[1], input.Raw.Slice(i * bytes, bytes).ToArray()))) })];
            case Tokens:
                return Grids(model, input);
            default:
                throw Require.Invalid("inputs", $"the tensor must be called {Image}, {Pixels} or {Tokens}; given {Echo.Quoted(input.Name)}");
        }
    }

    static ImageInput[] Grids(ServedModel model, Tensor input)
    {
        long[] tokens = input.Integers();
        Require.That(input.Shape.Length is 1 or 2, $"inputs.{Tokens}", $"must be [images, pixels]; given [{string.Join(", ", input.Shape)}]");
        int pixels = (int)input.Shape[^1];
        int at = Array.FindIndex(tokens, token => token < 0 || token >= model.Description.VocabularySize - 1);
        Require.That(at < 0, $"inputs.{Tokens}", $"a token must be a colour, 0 … {model.Description.VocabularySize - 2}; given {(at < 0 ? 0 : tokens[at])}");
        int side = (int)Math.Sqrt(pixels);

        // Without a preprocessor_config.json a square is the only size that pixels tell.
        (uint width, uint height) = model.Processor is null ? ((uint)side, (uint)side) : (0u, 0u);
        return [.. tokens.Chunk(Math.Max(1, pixels)).Select(row => new ImageInput { Tokens = new TokenGrid { Width = width, Height = height, Ids = { row.Select(id => (uint)id) } } })];
    }

    /// <summary>Takes a generation's events and keeps its tokens.</summary>
    sealed class CompletedSample(int[] image) : IServerStreamWriter<GenerateEvent>
    {
        readonly List<int> _tokens = [];

        public int[] Tokens => [.. _tokens];

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(GenerateEvent message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(GenerateEvent message, CancellationToken cancellationToken)
        {
            switch (message.EventCase)
            {
                case GenerateEvent.EventOneofCase.Started:
                    _tokens.AddRange(image[..(int)message.Started.PromptTokens]);
                    break;
                case GenerateEvent.EventOneofCase.Tokens:
                    _tokens.AddRange(message.Tokens.Ids.Select(id => (int)id));
                    break;
                case GenerateEvent.EventOneofCase.Finished when message.Finished.Reason != FinishReason.Completed:
                    throw new RpcException(new Status(StatusCode.Aborted, $"an image was not completed, it was {message.Finished.Reason.ToString().ToLowerInvariant()}: {message.Finished.Message}"));
            }

            return Task.CompletedTask;
        }
    }
}
