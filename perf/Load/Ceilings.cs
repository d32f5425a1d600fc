using IgptCluster.Model;

namespace IgptCluster.Load;

/// <summary>What a model could do at this machine's limits and no better.</summary>
internal sealed class Ceilings(ImageGptConfig config, double weightBytes, double cacheBytes, MachineLimits limits)
{
    double BlockParameters => config.LayerCount * ((4.0 * config.EmbeddingSize * config.EmbeddingSize) + (2.0 * config.EmbeddingSize * config.FeedForwardSize));

    double Parameters => BlockParameters + ((config.VocabSize - 1.0) * config.EmbeddingSize);

    /// <summary>
    /// Tokens per second: products wait for the weights' bytes or the multiplications, whichever is slower, and attention for the cache's bytes.
    /// </summary>
    /// <param name="sessions">Sequences at once.</param>
    /// <param name="position">Their mean position.</param>
    internal double Decode(int sessions, double position)
    {
        double products = Math.Max(Parameters * weightBytes / limits.ReadBytesPerSecond, sessions * 2 * Parameters / limits.FlopsPerSecond);
        double cache = sessions * 2.0 * config.LayerCount * position * config.EmbeddingSize * cacheBytes / limits.ReadBytesPerSecond;
        return sessions / (products + cache);
    }

    /// <summary>Images per second at the rate of multiplications, attention's included.</summary>
    internal double Images() =>
        limits.FlopsPerSecond / ((2.0 * BlockParameters * config.PositionCount) + (2.0 * config.LayerCount * config.EmbeddingSize * config.PositionCount * (config.PositionCount + 1.0)));
}
