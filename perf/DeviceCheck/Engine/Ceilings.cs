using IgptCluster.Model;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>What a model could do at this machine's limits and no better.</summary>
internal sealed class Ceilings(ImageGptConfig config, double weightBytes, double cacheBytes, MachineLimits limits)
{
    /// <summary>Bytes of all weights that a step reads.</summary>
    internal double WeightBytes => Parameters * weightBytes;

    /// <summary>Bytes of a KV slot.</summary>
    internal double SlotBytes => CacheBytes(config.PositionCount);

    double BlockParameters => config.LayerCount * ((4.0 * config.EmbeddingSize * config.EmbeddingSize) + (2.0 * config.EmbeddingSize * config.FeedForwardSize));

    double Parameters => BlockParameters + ((config.VocabSize - 1.0) * config.EmbeddingSize);

    /// <summary>
    /// Tokens per second: products wait for the weights' bytes or the multiplications, whichever is slower, and attention for the cache's bytes.
    /// </summary>
    /// <param name="sessions">Sequences at once.</param>
    /// <param name="position">Their mean position.</param>
    internal double Decode(int sessions, double position)
    {
        double products = Math.Max(WeightBytes / limits.BytesPerSecond, sessions * 2 * Parameters / limits.FlopsPerSecond);
        return sessions / (products + (sessions * CacheBytes(position) / limits.BytesPerSecond));
    }

    /// <summary>Tokens per second of sequences of so many tokens that are read through, at the rate of multiplications, attention's included.</summary>
    internal double Prefill(int tokens) => tokens * limits.FlopsPerSecond / PrefillFlops(tokens);

    /// <summary>A decode rate as a point beside the roofline.</summary>
    internal RooflinePoint DecodePoint(int sessions, double position, double tokensPerSecond)
    {
        double flops = sessions * ((2 * Parameters) + (4.0 * config.LayerCount * position * config.EmbeddingSize));
        return new RooflinePoint($"{sessions} at {position:0}", flops / (WeightBytes + (sessions * CacheBytes(position))), flops * tokensPerSecond / sessions);
    }

    /// <summary>A prefill rate as a point beside the roofline; its bytes are the weights, once.</summary>
    internal RooflinePoint PrefillPoint(string name, int sequences, int tokens, double tokensPerSecond) =>
        new(name, sequences * PrefillFlops(tokens) / WeightBytes, PrefillFlops(tokens) * tokensPerSecond / tokens);

    double PrefillFlops(int tokens) => (2.0 * BlockParameters * tokens) + (2.0 * config.LayerCount * config.EmbeddingSize * tokens * (tokens + 1.0));

    double CacheBytes(double position) => 2.0 * config.LayerCount * position * config.EmbeddingSize * cacheBytes;
}

/// <summary>A measured rate.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Intensity">FLOP per byte that must be read.</param>
/// <param name="FlopsPerSecond">FLOP/s reached.</param>
internal sealed record RooflinePoint(string Name, double Intensity, double FlopsPerSecond);
