using System.Security.Cryptography;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Generations;

/// <summary>Checks generation requests and resolves every default, so that only complete specifications reach a silo.</summary>
internal sealed class GenerationPlanner(ImageReader reader, IOptions<GatewayOptions> options)
{
    // Ids of sessions follow from it, and who knows a session's id can watch and end it.
    const int ShortestOperationId = 16;

    /// <summary>What to generate: one specification per sample.</summary>
    /// <param name="model">The model asked for.</param>
    /// <param name="request">What the client sent.</param>
    /// <param name="client">Who it is.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <exception cref="IgptException">InvalidArgument, Unsupported.</exception>
    public async Task<GenerationSpec[]> PlanAsync(ServedModel model, GenerateRequest request, string client, CancellationToken cancellationToken)
    {
        if (!model.Description.CanGenerate)
        {
            throw new IgptException(IgptErrorCode.Unsupported, $"model '{model.Description.Name}' has no language-model head: it cannot generate");
        }

        TokenImageInput image = await ImageAsync(model, request, cancellationToken);
        int kept = Kept(request, image);
        Require.That(
            kept < image.Pixels,
            "prompt_tokens",
            $"at least one of the image's {image.Pixels} pixels must be left to generate; given {kept} to keep");
        Require.That(!request.HasMaxNewTokens || request.MaxNewTokens >= 1, "max_new_tokens", "must be at least 1; leave it out to complete the image");
        int most = image.Pixels - kept;
        int made = request.HasMaxNewTokens ? (int)Math.Min(request.MaxNewTokens, (uint)most) : most;
        int maxSamples = options.Value.MaxSamples;
        Require.That(request.Samples <= maxSamples, "samples", $"at most {maxSamples} samples are taken at once; given {request.Samples}");
        Require.That(request.Priority is >= -100 and <= 100, "priority", $"must be −100 … 100; given {request.Priority}");
        var spec = new GenerationSpec
        {
            Model = model.Description.Name,
            Prompt = image.Tokens[..kept],
            EndPosition = kept + made,
            Width = image.Width,
            Height = image.Height,
            Sampling = Sampling(request),
            Forced = GenerationFields.Forced(request.Forced, kept, image.Pixels, model.Description.VocabularySize - 1),
            Priority = request.Priority,
            TimeToLive = TimeToLive(request),
            Client = client,
        };
        _ = GenerationFields.Operation(request.OperationId, ShortestOperationId);
        int samples = (int)Math.Max(1, request.Samples);
        return [.. Enumerable.Range(0, samples).Select(sample => spec with { Sample = sample })];
    }

    async Task<TokenImageInput> ImageAsync(ServedModel model, GenerateRequest request, CancellationToken cancellationToken)
    {
        ImageInput prompt = request.Prompt ?? new ImageInput { Tokens = new TokenGrid() };
        return await reader.ReadAsync(model, prompt, "prompt", cancellationToken);
    }

    static int Kept(GenerateRequest request, TokenImageInput image)
    {
        if (!request.HasPromptTokens)
        {
            return image.IsWhole ? image.Height / 2 * image.Width : image.Tokens.Length;
        }

        Require.That(
            request.PromptTokens <= image.Tokens.Length,
            "prompt_tokens",
            $"the prompt has {image.Tokens.Length} tokens; given {request.PromptTokens} to keep");
        return (int)request.PromptTokens;
    }

    /// <summary>Without a seed one is drawn; a call that is repeated draws the same.</summary>
    static SamplingSettings Sampling(GenerateRequest request)
    {
        byte[] drawn = request.OperationId.Length > 0 ? SHA256.HashData(Encoding.UTF8.GetBytes($"seed\n{request.OperationId}")) : RandomNumberGenerator.GetBytes(sizeof(ulong));
        var settings = new SamplingSettings { Temperature = 1, TopK = 0, TopP = 1, Seed = BitConverter.ToUInt64(drawn) };
        return GenerationFields.Sampling(request.Sampling).Apply(settings);
    }

    TimeSpan TimeToLive(GenerateRequest request)
    {
        if (request.SessionTtl is not { } given)
        {
            return TimeSpan.Zero;
        }

        TimeSpan most = options.Value.MaxSessionTtl;
        Require.That(
            given is { Seconds: >= 0, Nanos: >= 0 and < Duration.NanosecondsPerSecond } && given.Seconds <= most.TotalSeconds,
            "session_ttl",
            $"must be 0 s … {most.TotalSeconds:0} s, nanos 0 … 999,999,999; given {given.Seconds} s and {given.Nanos} ns");
        return given.ToTimeSpan();
    }
}
