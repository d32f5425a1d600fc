using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>Classify, embed, score, generate.</summary>
internal sealed class ImageGptService(
    ModelDirectory models, ReplicaCalls replicas, ImageReader reader, GenerationPlanner planner, SessionStarts starts, GenerationRelay relay, IGrainFactory grains) : ImageGpt.ImageGptBase
{
    const uint DefaultTopK = 5;

    // A client that gives up at its deadline resets the stream by its own clock, usually before the deadline has passed by this one.
    static readonly TimeSpan DeadlineTolerance = TimeSpan.FromSeconds(1);

    public override async Task<ClassifyResponse> Classify(ClassifyRequest request, ServerCallContext context)
    {
        Require.That(request.MoreHeads.Count <= HeadRules.MaxHeads, "more_heads", $"at most {HeadRules.MaxHeads:N0} names, or * for all; given {request.MoreHeads.Count:N0}");
        ServedModel model = await models.GetAsync(request.Model);
        int[][] images = await reader.ReadAllAsync(model, request.Images, context.CancellationToken);
        EvaluationResult result = await ClassifyAsync(
            model, new EvaluationSpec { Images = images, Kind = EvaluationKind.Classify, Head = request.Head, MoreHeads = [.. request.MoreHeads], Client = Caller.Of(context) }, context.CancellationToken);
        uint shown = request.TopK == 0 ? DefaultTopK : request.TopK;
        return new ClassifyResponse { Results = { images.Select((_, image) => Classification(result, image, shown)) }, Usage = UsageOf(images) };
    }

    public override async Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model);
        int layers = model.Description.LayerCount;
        Require.That(!request.HasLayer || request.Layer <= layers, "layer", $"model '{model.Description.Name}' has hidden states 0 … {layers}; given {request.Layer}");
        int layer = request.HasLayer ? (int)request.Layer : model.Description.ProbeLayer;
        int[][] images = await reader.ReadAllAsync(model, request.Images, context.CancellationToken);
        float[][] rows = (await EvaluateAsync(
            model, new EvaluationSpec { Images = images, Kind = EvaluationKind.Embed, Layer = layer, Client = Caller.Of(context) }, context.CancellationToken)).Rows;
        return new EmbedResponse
        {
            Layer = (uint)layer,
            Embeddings = { rows.Select(row => new Embedding { Values = { request.Normalize ? Normalized(row) : row } }) },
            Usage = UsageOf(images),
        };
    }

    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model);
        if (!model.Description.CanGenerate)
        {
            throw new IgptException(IgptErrorCode.Unsupported, $"model '{model.Description.Name}' has no language-model head: it cannot score");
        }

        int[][] images = await reader.ReadAllAsync(model, request.Images, context.CancellationToken);
        float[][] rows = (await EvaluateAsync(model, new EvaluationSpec { Images = images, Kind = EvaluationKind.Score, Client = Caller.Of(context) }, context.CancellationToken)).Rows;
        return new ScoreResponse { Results = { rows.Select(row => ImageScore(row, request.PerToken)) }, Usage = UsageOf(images) };
    }

    public override Task Generate(GenerateRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context) => GenerateAsync(request, [], responseStream, context);

    /// <summary>Generates, or goes on with the stream of an operation where another one broke.</summary>
    /// <param name="request">What the client sent.</param>
    /// <param name="told">What it has been told of each sample; empty: nothing.</param>
    /// <param name="responseStream">Where to.</param>
    /// <param name="context">The call.</param>
    internal async Task GenerateAsync(GenerateRequest request, ToldSample?[] told, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context)
    {
        StreamOptions stream = GenerationRelay.Checked(request.Stream);
        ServedModel model = await models.GetAsync(request.Model);
        GenerationSpec[] specs = await planner.PlanAsync(model, request, Caller.Of(context), context.CancellationToken);
        SessionId[] ids = Array.ConvertAll(specs, spec => SessionIds.Of(request.OperationId, spec.Sample));
        RelayedSession[] sessions = [.. specs.Where(spec => Told(spec) is not { IsFinished: true }).Select(spec => new RelayedSession(ids[spec.Sample], new SessionEvents(model, ids[spec.Sample], spec, stream, From(spec))))];
        await starts.StartAllAsync(ids, specs, context.CancellationToken);
        try
        {
            await relay.RunAsync(sessions, responseStream, context.CancellationToken);
        }
        catch
        {
            bool pause = context.CancellationToken.IsCancellationRequested && context.Deadline <= DateTime.UtcNow + DeadlineTolerance;
            await Task.WhenAll(ids.Select(id => Session(id).AbandonAsync(pause))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        ToldSample? Told(GenerationSpec spec) => told.ElementAtOrDefault(spec.Sample);

        int From(GenerationSpec spec)
        {
            int from = Told(spec)?.Position ?? spec.Prompt.Length;
            spec.RequireReadableFrom(from);
            return from;
        }
    }

    ISessionGrain Session(SessionId id) => grains.GetGrain<ISessionGrain>(id.ToString());

    Task<EvaluationResult> EvaluateAsync(ServedModel model, EvaluationSpec spec, CancellationToken cancellationToken) => replicas.CallAsync(
        model.Description.Name, replica => grains.GetGrain<IReplicaGrain>(replica.ToString()).EvaluateAsync(spec, cancellationToken), cancellationToken);

    /// <summary>The replica finds the head and says which it was: heads come and go, and what this gateway knows of them may be old.</summary>
    async Task<EvaluationResult> ClassifyAsync(ServedModel model, EvaluationSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            return await EvaluateAsync(model, spec, cancellationToken);
        }
        catch (IgptException unknown) when (unknown.Code == IgptErrorCode.HeadNotFound)
        {
            // It may have asked a replica that the model's grain no longer tells of; those it tells of now have every head.
            await models.ReplicasAsync(model.Description.Name, isFresh: true);
            return await EvaluateAsync(model, spec, cancellationToken);
        }
    }

    static Classification Classification(EvaluationResult result, int image, uint shown) => new()
    {
        Scores = { Scores(result.Rows[image], result.Head!, shown) },
        More = { (result.More ?? []).Select(more => new HeadScores { Head = more.Head.Name, Scores = { Scores(more.Rows[image], more.Head, shown) } }) },
    };

    static IEnumerable<ClassScore> Scores(float[] logits, HeadDescription head, uint shown)
    {
        double greatest = logits.Max();
        double sum = logits.Sum(logit => Math.Exp(logit - greatest));
        IEnumerable<int> best = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).Take((int)Math.Min(shown, (uint)logits.Length));
        return best.Select(i => new ClassScore
        {
            Index = (uint)i,
            Label = head.Labels[i],
            Logit = logits[i],
            Probability = (float)(Math.Exp(logits[i] - greatest) / sum),
        });
    }

    static ImageScore ImageScore(float[] logProbabilities, bool perToken)
    {
        double total = logProbabilities.Sum(value => (double)value);
        var score = new ImageScore
        {
            TotalLogLikelihood = total,
            BitsPerDim = -total / Math.Log(2) / (3 * logProbabilities.Length),
        };
        if (perToken)
        {
            score.LogProbs.AddRange(logProbabilities);
        }

        return score;
    }

    static float[] Normalized(float[] row)
    {
        double length = Math.Sqrt(row.Sum(value => (double)value * value));
        return length > 0 ? Array.ConvertAll(row, value => (float)(value / length)) : row;
    }

    static Usage UsageOf(int[][] images) => new() { Images = (uint)images.Length, PromptTokens = (uint)images.Sum(image => image.Length) };
}
