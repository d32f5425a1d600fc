using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Requests;

/// <summary>Checks requests against the model before they are queued, so that only valid ones reach the scheduler.</summary>
static class RequestRules
{
    internal static void Check(GenerationRequest request, ModelShape shape)
    {
        Require(shape.LogitCount > 0, "this model has no language-model head: it cannot generate", unsupported: true);
        Require(request.MaxNewTokens >= 1, $"MaxNewTokens must be at least 1; given {request.MaxNewTokens}");
        Require(
            request.Prompt.Length <= shape.PositionCount - request.MaxNewTokens,
            $"prompt and new tokens together must be at most {shape.PositionCount} (n_positions); given {request.Prompt.Length} + {request.MaxNewTokens}");
        CheckTokens(request.Prompt.Span, shape);
        SamplingParameters sampling = request.Sampling;
        Require(double.IsFinite(sampling.Temperature) && sampling.Temperature >= 0, $"Temperature must be finite and at least 0; given {sampling.Temperature}");
        Require(sampling.TopK >= 0, $"TopK must be at least 0 (0 = all); given {sampling.TopK}");
        Require(sampling.TopP is > 0 and <= 1, $"TopP must be above 0 and at most 1; given {sampling.TopP}");
        foreach ((int position, int token) in request.Forced)
        {
            Require(position >= 0, $"a forced token's position must be at least 0; given {position}");
            Require(
                token >= 0 && token < shape.StartToken,
                $"a forced token must be a colour, 0 … {shape.StartToken - 1}; given {token} at position {position}");
        }
    }

    internal static void Check(EvaluationRequest request, ModelShape shape)
    {
        Require(
            request.LogProbabilities != request.PooledLayers.Count > 0,
            "an evaluation asks either for log-probabilities or for pooled layers");
        Require(!request.LogProbabilities || shape.LogitCount > 0, "this model has no language-model head: it cannot score", unsupported: true);
        Require(
            request.Tokens.Length >= 1 && request.Tokens.Length <= shape.PositionCount,
            $"an image must have 1 … {shape.PositionCount} tokens (n_positions); given {request.Tokens.Length}");
        CheckTokens(request.Tokens.Span, shape);
        int below = -1;
        foreach (int layer in request.PooledLayers)
        {
            Require(
                layer > below && layer <= shape.LayerCount,
                $"pooled layers must ascend within 0 … {shape.LayerCount}; given {string.Join(", ", request.PooledLayers)}");
            below = layer;
        }
    }

    static void CheckTokens(ReadOnlySpan<int> tokens, ModelShape shape)
    {
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] < 0 || tokens[i] >= shape.StartToken)
            {
                throw new EngineRequestException($"tokens must be colours, 0 … {shape.StartToken - 1}; given {tokens[i]} at position {i}");
            }
        }
    }

    static void Require(bool holds, string otherwise, bool unsupported = false)
    {
        if (!holds)
        {
            throw new EngineRequestException(otherwise) { Unsupported = unsupported };
        }
    }
}
