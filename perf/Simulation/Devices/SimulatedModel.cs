using IgptCluster.Engine.Runner;

namespace IgptCluster.Simulation.Devices;

/// <summary>A model's sizes, as far as the cost of a step goes. Immutable; any thread.</summary>
public sealed record SimulatedModel
{
    /// <summary>Sizes of the paper's models (Chen et al., "Generative Pretraining from Pixels", ICML 2020, section 4.1) in bfloat16.</summary>
    /// <param name="preset"><c>small</c> (24 layers of 512), <c>medium</c> (36 of 1,024) or <c>large</c> (48 of 1,536).</param>
    /// <exception cref="ArgumentException">There is no such preset.</exception>
    public static SimulatedModel Preset(string preset)
    {
        (int layers, int width) = preset switch
        {
            "small" => (24, 512),
            "medium" => (36, 1024),
            "large" => (48, 1536),
            _ => throw new ArgumentException($"a preset is small, medium or large; given '{preset}'"),
        };
        return new SimulatedModel
        {
            Name = $"imagegpt-{preset}",
            Shape = new ModelShape { VocabularySize = 513, LogitCount = 512, PositionCount = 1024, LayerCount = layers, EmbeddingSize = width },
        };
    }

    /// <summary>Name it is served by.</summary>
    public required string Name { get; init; }

    /// <summary>Its sizes.</summary>
    public required ModelShape Shape { get; init; }

    /// <summary>Bytes of a weight.</summary>
    public double WeightSize { get; init; } = 2;

    /// <summary>Bytes of a number of the KV cache.</summary>
    public double CacheSize { get; init; } = 2;

    /// <summary>Kernels of a layer: two norms, four products with what follows them, attention, and writing keys and values.</summary>
    public int KernelsPerLayer { get; init; } = 8;

    /// <summary>Weights of the layers' products: four squares of attention, eight of the perceptron.</summary>
    public double LayerWeights => 12.0 * Shape.LayerCount * Shape.EmbeddingSize * Shape.EmbeddingSize;

    /// <summary>Weights of the products of a token that wants logits, beside those.</summary>
    public double HeadWeights => (double)Shape.EmbeddingSize * Shape.LogitCount;

    /// <summary>Bytes of keys and values that one position keeps.</summary>
    public double CacheBytesPerToken => 2.0 * Shape.LayerCount * Shape.EmbeddingSize * CacheSize;

    /// <summary>KV slots that a device has room for beside the weights.</summary>
    /// <param name="device">The device.</param>
    /// <param name="reserve">Share of its memory that stays free, 0 … 1.</param>
    public int SlotsOn(SimulatedDevice device, double reserve = 0.1)
    {
        double room = (device.MemoryBytes * (1 - reserve)) - ((LayerWeights + HeadWeights) * WeightSize);
        return (int)Math.Max(0, room / (CacheBytesPerToken * Shape.PositionCount));
    }
}
