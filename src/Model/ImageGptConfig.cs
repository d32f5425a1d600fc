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
}
