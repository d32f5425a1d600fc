namespace IgptCluster.Model;

/// <summary>The fields of Hugging Face's <c>ImageGPTConfig</c>, with its defaults.</summary>
public sealed record ImageGptConfig
{
    /// <summary>Number of token ids: the colours plus the start-of-sequence token, which is the last. Default 513.</summary>
    public int VocabSize { get; init; } = 513;

    /// <summary>Longest sequence, the start-of-sequence token included. Default 1,024.</summary>
    public int PositionCount { get; init; } = 1024;

    /// <summary>Width of the hidden states. Default 512.</summary>
    public int EmbeddingSize { get; init; } = 512;

    /// <summary>Number of blocks. Default 24.</summary>
    public int LayerCount { get; init; } = 24;

    /// <summary>Attention heads per block; divides <see cref="EmbeddingSize"/>. Default 8.</summary>
    public int HeadCount { get; init; } = 8;

    /// <summary>Width inside the MLP (<c>n_inner</c>); null means 4 · <see cref="EmbeddingSize"/>.</summary>
    public int? InnerSize { get; init; }

    /// <summary>The MLP's non-linearity by Hugging Face's name. Default <c>quick_gelu</c>.</summary>
    public string ActivationFunction { get; init; } = "quick_gelu";

    /// <summary>Added to the mean square inside every norm's root. Default 1e-5.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>Divides attention scores by √(head size). Default true.</summary>
    public bool ScaleAttentionWeights { get; init; } = true;

    /// <summary>Divides attention scores further by the block's number, counted from 1. Default false.</summary>
    public bool ScaleAttentionByInverseLayerIndex { get; init; }

    /// <summary>Computes attention scores and their softmax in float32 whatever the dtype. Default false.</summary>
    public bool ReorderAndUpcastAttention { get; init; }

    /// <summary>The head shares the token embedding's weights. Default false.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Dropout after embedding, 0 to 1; of training only. Default 0.1.</summary>
    public double EmbeddingDropout { get; init; } = 0.1;

    /// <summary>Dropout of residual branches, 0 to 1; of training only. Default 0.1.</summary>
    public double ResidualDropout { get; init; } = 0.1;

    /// <summary>Dropout of attention probabilities, 0 to 1; of training only. Default 0.1.</summary>
    public double AttentionDropout { get; init; } = 0.1;

    /// <summary>Standard deviation of initial weights. Default 0.02.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Hugging Face's <c>use_cache</c>; kept for writing back, serving always caches. Default true.</summary>
    public bool UseCache { get; init; } = true;

    /// <summary>Names of the classes, by index; empty where the checkpoint has no classifier.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Hugging Face's <c>problem_type</c>: null, <c>regression</c>, <c>single_label_classification</c> or <c>multi_label_classification</c>.</summary>
    public string? ProblemType { get; init; }

    /// <summary>The start-of-sequence token: the last id.</summary>
    public int StartToken => VocabSize - 1;

    /// <summary>Width of one head.</summary>
    public int HeadSize => EmbeddingSize / HeadCount;

    /// <summary>Width inside the MLP.</summary>
    public int FeedForwardSize => InnerSize ?? 4 * EmbeddingSize;

    /// <summary>Non-linearities known by Hugging Face's names.</summary>
    public static IReadOnlyList<string> Activations { get; } =
        ["quick_gelu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"];

    /// <summary>Sizes of the paper's models and of one for trials.</summary>
    /// <param name="name"><c>tiny</c>, <c>small</c>, <c>medium</c>, <c>large</c> or <c>xl</c>.</param>
    /// <exception cref="ArgumentException">Another name.</exception>
    public static ImageGptConfig Preset(string name) => name switch
    {
        "tiny" => new ImageGptConfig { EmbeddingSize = 64, LayerCount = 4, HeadCount = 4 },
        "small" => new ImageGptConfig(),
        "medium" => new ImageGptConfig { EmbeddingSize = 1024, LayerCount = 36, HeadCount = 8 },
        "large" => new ImageGptConfig { EmbeddingSize = 1536, LayerCount = 48, HeadCount = 16 },
        "xl" => new ImageGptConfig { EmbeddingSize = 3072, LayerCount = 60, HeadCount = 16 },
        _ => throw new ArgumentException($"a preset is tiny, small, medium, large or xl; given '{name}'", nameof(name)),
    };

    /// <summary>Every rule that the values break together; empty if none.</summary>
    public IEnumerable<string> Problems()
    {
        if (EmbeddingSize % HeadCount != 0)
        {
            yield return $"n_embd: must be a multiple of n_head; given {EmbeddingSize} and {HeadCount}";
        }

        if (!Activations.Contains(ActivationFunction))
        {
            yield return $"activation_function: must be one of {string.Join(", ", Activations)}; given '{ActivationFunction}'";
        }

        if (ProblemType is not (null or "regression" or "single_label_classification" or "multi_label_classification"))
        {
            yield return $"problem_type: must be regression, single_label_classification or multi_label_classification; given '{ProblemType}'";
        }
    }
}
