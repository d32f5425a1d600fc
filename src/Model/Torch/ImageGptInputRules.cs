using TorchSharp;

namespace IgptCluster.Model.Torch;

/// <summary>What an <see cref="ImageGptInput"/> must satisfy, checked before anything is computed: libtorch's own errors name no rule, or none comes.</summary>
static class ImageGptInputRules
{
    public static void Check(ImageGptInput input, ImageGptConfig config, ImageGptArchitecture architecture)
    {
        (long batch, long length) = Size(input, config);
        long past = CheckCache(input.Cache, batch, config);
        Require(
            past + length <= config.PositionCount,
            $"a sequence holds at most n_positions = {config.PositionCount} tokens",
            past == 0 ? $"{length}" : $"{past} in the cache and {length} more");
        Require(!input.Bidirectional || input.Cache is null, "bidirectional attention sees all tokens at once, without a cache", "both");
        if (input.TokenIds is { } ids)
            RequireRange(ids, config.VocabSize, "a token id must be 0 to vocab_size − 1");
        if (input.PositionIds is { } positions)
        {
            RequireShape(positions, "position ids", [positions.dim() == 2 && positions.shape[0] == 1 ? 1 : batch, length]);
            RequireRange(positions, config.PositionCount, "a position must be 0 to n_positions − 1");
        }

        if (input.AttentionMask is { } mask)
            RequireShape(mask, "the attention mask", [batch, past + length]);
        if (input.Labels is { } labels)
            CheckLabels(labels, architecture, batch, length);
    }

    static (long Batch, long Length) Size(ImageGptInput input, ImageGptConfig config)
    {
        Require(
            input.TokenIds is null != input.Embeddings is null,
            "either token ids or embeddings must be given",
            input.TokenIds is null ? "neither" : "both");
        torch.Tensor tokens = (input.TokenIds ?? input.Embeddings)!;
        Require(tokens.dim() == (input.TokenIds is null ? 3 : 2), "token ids are [B, T], embeddings [B, T, n_embd]", Shape(tokens));
        Require(tokens.shape[0] > 0 && tokens.shape[1] > 0, "at least one row of at least one token must be given", Shape(tokens));
        if (input.Embeddings is { } embeddings)
            RequireShape(embeddings, "embeddings", [embeddings.shape[0], embeddings.shape[1], config.EmbeddingSize]);
        return (tokens.shape[0], tokens.shape[1]);
    }

    static long CheckCache(KvCache? cache, long batch, ImageGptConfig config)
    {
        if (cache?.BatchSize is not { } rows)
            return 0;
        Require(rows == batch, "the cache must have as many rows as the batch", $"{rows} for {batch}");
        Require(cache.LayerCount == config.LayerCount, "the cache must have as many blocks as the network", $"{cache.LayerCount}");
        return cache.Length;
    }

    static void CheckLabels(torch.Tensor labels, ImageGptArchitecture architecture, long batch, long length)
    {
        Require(architecture != ImageGptArchitecture.Model, "labels need a network with a head", $"{architecture}");
        if (architecture == ImageGptArchitecture.CausalImageModeling)
            RequireShape(labels, "labels", [batch, length]);
        else
            Require(labels.dim() is 1 or 2 && labels.shape[0] == batch, $"labels are [{batch}] or [{batch}, labels]", Shape(labels));
    }

    static void RequireShape(torch.Tensor tensor, string name, long[] shape) =>
        Require(tensor.shape.SequenceEqual(shape), $"{name} must have the shape [{string.Join(", ", shape)}]", Shape(tensor));

    static void RequireRange(torch.Tensor ids, long count, string rule)
    {
        Require(ids.dtype == torch.ScalarType.Int64, "ids and positions must be int64", $"{ids.dtype}");
        using DisposeScope scope = torch.NewDisposeScope();
        (torch.Tensor least, torch.Tensor most) = ids.aminmax();
        long low = least.item<long>();
        long high = most.item<long>();
        Require(low >= 0 && high < count, $"{rule} = {count - 1}", $"{(low < 0 ? low : high)}");
    }

    static void Require(bool condition, string rule, string given)
    {
        if (!condition)
            throw new ArgumentException($"{char.ToUpperInvariant(rule[0])}{rule[1..]}; given: {given}.");
    }

    static string Shape(torch.Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";
}
