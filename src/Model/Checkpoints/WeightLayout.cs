namespace IgptCluster.Model.Checkpoints;

/// <summary>One weight of a model.</summary>
/// <param name="Name">Its name without the <c>transformer.</c> prefix.</param>
/// <param name="Shape">Its sizes.</param>
public sealed record WeightShape(string Name, long[] Shape)
{
    /// <summary>Number of values.</summary>
    public long Count => Shape.Aggregate(1L, (count, size) => count * size);
}

/// <summary>Names and shapes of a model's weights, in the order in which Hugging Face lists them.</summary>
public static class WeightLayout
{
    /// <summary>The language-model head's name.</summary>
    public const string LanguageHead = "lm_head.weight";

    /// <summary>The classifier head's name.</summary>
    public const string ClassifierHead = "score.weight";

    /// <summary>All weights. Conv1D weights are [in, out].</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="architecture">Which heads it has.</param>
    public static IReadOnlyList<WeightShape> Of(ImageGptConfig config, ImageGptArchitecture architecture)
    {
        long width = config.EmbeddingSize;
        long inner = config.FeedForwardSize;
        var weights = new List<WeightShape>
        {
            new("wte.weight", [config.VocabSize, width]),
            new("wpe.weight", [config.PositionCount, width]),
        };
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            weights.AddRange(
            [
                new($"h.{layer}.ln_1.weight", [width]),
                new($"h.{layer}.attn.c_attn.weight", [width, 3 * width]),
                new($"h.{layer}.attn.c_attn.bias", [3 * width]),
                new($"h.{layer}.attn.c_proj.weight", [width, width]),
                new($"h.{layer}.attn.c_proj.bias", [width]),
                new($"h.{layer}.ln_2.weight", [width]),
                new($"h.{layer}.mlp.c_fc.weight", [width, inner]),
                new($"h.{layer}.mlp.c_fc.bias", [inner]),
                new($"h.{layer}.mlp.c_proj.weight", [inner, width]),
                new($"h.{layer}.mlp.c_proj.bias", [width]),
            ]);
        }

        weights.Add(new("ln_f.weight", [width]));
        if (architecture == ImageGptArchitecture.CausalImageModeling && !config.TieWordEmbeddings)
        {
            weights.Add(new(LanguageHead, [config.VocabSize - 1, width]));
        }
        else if (architecture == ImageGptArchitecture.ImageClassification)
        {
            weights.Add(new(ClassifierHead, [config.Labels.Count, width]));
        }

        return weights;
    }
}
