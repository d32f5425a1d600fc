using System.Net.ServerSentEvents;
using System.Text.Json;
using Google.Protobuf;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Http.Streams;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Gateway.Services;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>OpenAI's images API over <see cref="ImageGptService"/>: what a stream shows meanwhile are the pixels that are made. Any thread.</summary>
internal sealed class OpenAiImages(ServiceCalls calls, ImageGptService service, ModelDirectory models, ImageReader reader, StreamResults streams, IOptions<GatewayOptions> options, TimeProvider time)
{
    /// <summary>Images from nothing.</summary>
    /// <param name="http">The request.</param>
    public async Task<IResult> GenerateAsync(HttpContext http)
    {
        var fields = OpenAiFields.OfJson(await JsonMessages.ReadBytesAsync(http.Request));
        ServedModel model = await models.GetAsync(fields.Text("model"));
        return await AnswerAsync(http, ImagesRequest.Read(fields, model.Description.Name, model.RequiredProcessor, options.Value.MaxSamples), "image_generation");
    }

    /// <summary>Images that keep what a mask does not let go.</summary>
    /// <param name="http">The request.</param>
    public async Task<IResult> EditAsync(HttpContext http)
    {
        IFormCollection form = await FormMessages.FormAsync(http.Request);
        var fields = OpenAiFields.OfForm(form);
        foreach (IFormFile file in form.Files)
        {
            Require.That(file.Name is "image" or "image[]" or "mask", Contracts.Echo.Cut(file.Name, Contracts.Echo.MaxLength), $"a file must be called image or mask; given {Contracts.Echo.Quoted(file.Name)}");
        }

        ByteString image = await FileAsync(form, http.RequestAborted, "image", "image[]") ?? throw Require.Invalid("image", "an image file is needed; given none");
        ByteString? mask = await FileAsync(form, http.RequestAborted, "mask");
        ServedModel model = await models.GetAsync(fields.Text("model"));
        ImagesRequest request = ImagesRequest.Read(fields, model.Description.Name, model.RequiredProcessor, options.Value.MaxSamples);
        await KeepAsync(request.Generate, model, image, mask, http.RequestAborted);
        return await AnswerAsync(http, request, "image_edit");
    }

    /// <summary>What lies before the first pixel to paint is the prompt; what is kept behind it is forced.</summary>
    async Task KeepAsync(GenerateRequest request, ServedModel model, ByteString image, ByteString? mask, CancellationToken cancellationToken)
    {
        TokenImageInput tokens = await reader.ReadAsync(model, new ImageInput { Encoded = image }, "image", cancellationToken);
        request.Prompt = new ImageInput { Tokens = new TokenGrid { Width = (uint)tokens.Width, Height = (uint)tokens.Height, Ids = { tokens.Tokens.Select(id => (uint)id) } } };
        bool[] isPainted = await reader.ReadTransparencyAsync(model, mask ?? image, mask is null ? "image" : "mask", cancellationToken);
        Require.That(isPainted.Length == tokens.Pixels, "mask", $"must have as many pixels as the image, {tokens.Pixels}; given {isPainted.Length}");
        int first = Array.IndexOf(isPainted, true);
        Require.That(first >= 0 || mask is null, "mask", "must be transparent where pixels are to be painted; given one without a transparent pixel: make the area transparent, or leave the mask out to have the lower half painted");
        if (first >= 0)
        {
            request.PromptTokens = (uint)first;
            request.Forced.AddRange(Enumerable.Range(first, isPainted.Length - first).Where(position => !isPainted[position]).Select(position => new ForcedToken { Position = (uint)position, Token = (uint)tokens.Tokens[position] }));
        }
    }

    async Task<IResult> AnswerAsync(HttpContext http, ImagesRequest request, string name)
    {
        var samples = new PaintedImage[request.Generate.Samples];
        for (int i = 0; i < samples.Length; i++)
        {
            samples[i] = new PaintedImage(request);
        }

        StreamedCall<GenerateEvent> call = calls.Open<GenerateRequest, GenerateEvent>(http, StreamEndpoints.GenerateRpc, request.Generate, service.Generate);
        if (request.IsStream)
        {
            // OpenAI's clients say that they take JSON, and read server-sent events.
            return await streams.AnswerAsync(http, call, StreamFormat.ServerSentEvents, happened => Tell(samples, happened, request, name));
        }

        await foreach (GenerateEvent happened in call.Events.ReadAllAsync(http.RequestAborted))
        {
            samples[happened.Sample].Take(happened);
        }

        return TypedResults.Json(new Dictionary<string, object>
        {
            ["created"] = time.GetUtcNow().ToUnixTimeSeconds(),
            ["data"] = samples.Select(sample => request.IsUrl
                ? new Dictionary<string, string> { ["url"] = $"{http.Request.Scheme}://{http.Request.Host}/v1/sessions/{sample.SessionId}.png?scale={request.Scale}" }
                : new Dictionary<string, string> { ["b64_json"] = sample.Whole() }),
            ["background"] = "opaque",
            ["output_format"] = request.Format,
            ["size"] = samples[0].Size,
            ["usage"] = UsageOf(samples),
        });
    }

    IEnumerable<SseItem<string>> Tell(PaintedImage[] samples, GenerateEvent happened, ImagesRequest request, string name)
    {
        PaintedImage sample = samples[happened.Sample];
        foreach (int index in sample.Take(happened))
        {
            yield return Item($"{name}.partial_image", sample.Partial(index), ("partial_image_index", index));
        }

        if (happened.Finished is not null)
        {
            yield return Item($"{name}.completed", sample.Whole(), ("usage", UsageOf([sample])));
        }

        SseItem<string> Item(string type, string image, (string Name, object Value) more) => new(
            JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["type"] = type,
                ["b64_json"] = image,
                ["image_index"] = happened.Sample,
                [more.Name] = more.Value,
                ["created_at"] = time.GetUtcNow().ToUnixTimeSeconds(),
                ["size"] = sample.Size,
                ["quality"] = "auto",
                ["background"] = "opaque",
                ["output_format"] = request.Format,
            }),
            type);
    }

    static Dictionary<string, object> UsageOf(IReadOnlyCollection<PaintedImage> samples)
    {
        long input = samples.Sum(sample => sample.Usage?.PromptTokens ?? 0);
        long output = samples.Sum(sample => sample.Usage?.GeneratedTokens ?? 0);
        return new()
        {
            ["input_tokens"] = input,
            ["output_tokens"] = output,
            ["total_tokens"] = input + output,
            ["input_tokens_details"] = new Dictionary<string, long> { ["text_tokens"] = 0, ["image_tokens"] = input },
        };
    }

    static async Task<ByteString?> FileAsync(IFormCollection form, CancellationToken cancellationToken, params string[] names)
    {
        IFormFile[] files = [.. form.Files.Where(file => names.Contains(file.Name))];
        Require.That(files.Length <= 1, names[0], $"one file is taken; given {files.Length}");
        if (files.Length == 0)
        {
            return null;
        }

        await using Stream bytes = files[0].OpenReadStream();
        return await ByteString.FromStreamAsync(bytes, cancellationToken);
    }
}
