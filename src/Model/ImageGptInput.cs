using static TorchSharp.torch;

namespace IgptCluster.Model;

/// <summary>What one forward pass reads. Tensors stay the caller's.</summary>
public sealed record ImageGptInput
{
    /// <summary>Token ids, int64 [batch, length]; null if <see cref="Embeddings"/> are given instead.</summary>
    public Tensor? Tokens { get; init; }

    /// <summary>Token embeddings, [batch, length, n_embd]; null if <see cref="Tokens"/> are given.</summary>
    public Tensor? Embeddings { get; init; }

    /// <summary>1 to attend to a key, 0 not to; [batch, past + length]. Null attends to all. As in Hugging Face it does not change positions.</summary>
    public Tensor? AttentionMask { get; init; }

    /// <summary>Positions, int64 [batch, length]; null counts on from the cache's length.</summary>
    public Tensor? Positions { get; init; }

    /// <summary>Keys and values of what came before; this pass's are added. Null starts from nothing and keeps none.</summary>
    public KvCache? Cache { get; init; }

    /// <summary>Labels: int64 [batch, length] for the language model (−100 is ignored), classes or targets [batch] or [batch, classes] for the classifier.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Also returns every hidden state.</summary>
    public bool WantsHiddenStates { get; init; }

    /// <summary>Also returns every layer's attention probabilities.</summary>
    public bool WantsAttentions { get; init; }
}

/// <summary>What one forward pass gives. All tensors are the caller's, in the dispose scope it has open.</summary>
public sealed record ImageGptOutput
{
    /// <summary>After the final norm, [batch, length, n_embd].</summary>
    public required Tensor LastHiddenState { get; init; }

    /// <summary>Language model: [batch, length, colours]; classifier: [batch, classes]; null for the bare model.</summary>
    public Tensor? Logits { get; init; }

    /// <summary>Scalar; null without labels.</summary>
    public Tensor? Loss { get; init; }

    /// <summary>n_layer + 1 of [batch, length, n_embd]: 0 = embeddings, i = input of block i, the last after the final norm; empty unless wanted.</summary>
    public IReadOnlyList<Tensor> HiddenStates { get; init; } = [];

    /// <summary>n_layer of [batch, n_head, length, past + length]; empty unless wanted.</summary>
    public IReadOnlyList<Tensor> Attentions { get; init; } = [];
}

/// <summary>Keys and values of a batch, per layer [batch, n_head, length, head size]. One thread; owns its tensors.</summary>
public sealed class KvCache : IDisposable
{
    readonly List<(Tensor Keys, Tensor Values)> _layers = [];

    /// <summary>Tokens held per sequence.</summary>
    public long Length => _layers.Count == 0 ? 0 : _layers[0].Keys.shape[2];

    /// <summary>Adds a layer's new keys and values and gives all of them.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        if (layer == _layers.Count)
        {
            _layers.Add((keys.clone().DetachFromDisposeScope(), values.clone().DetachFromDisposeScope()));
            return _layers[layer];
        }

        (Tensor oldKeys, Tensor oldValues) = _layers[layer];
        _layers[layer] = (cat([oldKeys, keys], 2).DetachFromDisposeScope(), cat([oldValues, values], 2).DetachFromDisposeScope());
        oldKeys.Dispose();
        oldValues.Dispose();
        return _layers[layer];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((Tensor keys, Tensor values) in _layers)
        {
            keys.Dispose();
            values.Dispose();
        }

        _layers.Clear();
    }
}
