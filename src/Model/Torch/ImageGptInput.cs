using TorchSharp;

namespace IgptCluster.Model.Torch;

/// <summary>What one <see cref="ImageGpt.Forward"/> computes, of which shape B × T. The caller owns every tensor; all lie on the network's device.</summary>
public sealed record ImageGptInput
{
    /// <summary>Token ids, int64 [B, T], each below the vocabulary size; null where <see cref="Embeddings"/> are given.</summary>
    public torch.Tensor? TokenIds { get; init; }

    /// <summary>Token embeddings in place of ids, in the network's dtype [B, T, n_embd]; null where <see cref="TokenIds"/> are given.</summary>
    public torch.Tensor? Embeddings { get; init; }

    /// <summary>1 for a key that may be attended to, 0 for padding, any number type [B, past + T]; null for all 1. Does not move positions.</summary>
    public torch.Tensor? AttentionMask { get; init; }

    /// <summary>Input positions, int64 [B, T] or [1, T], each below n_positions; null for past, past + 1, ….</summary>
    public torch.Tensor? PositionIds { get; init; }

    /// <summary>Keys and values of the tokens before these, extended by the call; null for none.</summary>
    public KvCache? Cache { get; init; }

    /// <summary>
    /// Asks for a loss. Causal: int64 [B, T], the ids themselves (the shift by one is the loss's), −100 to ignore one.
    /// Classifier: int64 [B]; float [B, labels] for several labels at once; float [B] for a regression.
    /// </summary>
    public torch.Tensor? Labels { get; init; }

    /// <summary>True to return every hidden state.</summary>
    public bool WantsHiddenStates { get; init; }

    /// <summary>True to return the attention probabilities (slower: they are computed in full).</summary>
    public bool WantsAttentions { get; init; }

    /// <summary>True to let every token attend to all others, later ones too: pre-training with the BERT objective. Not with a cache.</summary>
    public bool Bidirectional { get; init; }

    /// <summary>True to apply the configured dropouts.</summary>
    public bool Training { get; init; }
}
