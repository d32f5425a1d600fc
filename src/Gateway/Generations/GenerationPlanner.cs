using System.Security.Cryptography;
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
    /// <summary>What to generate: one specification per sample.</summary>
    /// <param name="model">The model asked for.</param>
    /// <param name="request">What the client sent.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <exception cref="IgptException">InvalidArgument, Unsupported.</exception>
    public async Task<GenerationSpec[]> PlanAsync(ServedModel model, GenerateRequest request, CancellationToken cancellationToken)
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
            Sampling = Sampling(request.Sampling ?? new SamplingParameters()),
            Forced = Forced(request, kept, image.Pixels, model.Description.VocabularySize - 1),
            Priority = request.Priority,
            TimeToLive = TimeToLive(request),
        };
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

    static SamplingSettings Sampling(SamplingParameters given)
    {
        double temperature = given.HasTemperature ? given.Temperature : 1;
        double topP = given.HasTopP ? given.TopP : 1;
        Require.That(
            double.IsFinite(temperature) && temperature >= 0,
            "sampling.temperature",
            $"must be finite and at least 0 (0 = greedy); given {temperature}");
        Require.That(topP is > 0 and <= 1, "sampling.top_p", $"must be above 0 and at most 1 (1 = all); given {topP}");
        return new SamplingSettings
        {
            Temperature = temperature,
            TopK = (int)Math.Min(given.TopK, int.MaxValue),
            TopP = topP,
            Seed = given.HasSeed ? given.Seed : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        };
    }

    static Contracts.ForcedToken[] Forced(GenerateRequest request, int kept, int pixels, int colours)
    {
        var seen = new HashSet<uint>();
        for (int i = 0; i < request.Forced.Count; i++)
        {
            Protocol.V1.ForcedToken pixel = request.Forced[i];
            Require.That(
                pixel.Position >= kept && pixel.Position < pixels,
                $"forced[{i}].position",
                $"must lie behind the prompt and inside the image, {kept} … {pixels - 1}; given {pixel.Position}");
            Require.That(pixel.Token < colours, $"forced[{i}].token", $"must be a colour, 0 … {colours - 1}; given {pixel.Token}");
            Require.That(seen.Add(pixel.Position), $"forced[{i}].position", $"each position can be forced once; given {pixel.Position} again");
        }

        return [.. request.Forced.Select(pixel => new Contracts.ForcedToken((int)pixel.Position, (int)pixel.Token))];
    }

    TimeSpan TimeToLive(GenerateRequest request)
    {
        if (request.SessionTtl is not { } given)
        {
            return TimeSpan.Zero;
        }

        TimeSpan most = options.Value.MaxSessionTtl;
        Require.That(
            given.Seconds >= 0 && given.Nanos >= 0 && given.Seconds <= most.TotalSeconds,
            "session_ttl",
            $"must be 0 s … {most.TotalSeconds:0} s; given {given.Seconds} s");
        return given.ToTimeSpan();
    }
}
