using TorchSharp;

namespace IgptCluster.Model.Torch;

/// <summary>
/// Keys and values of the tokens that <see cref="ImageGpt.Forward"/> has seen, dense: per block two tensors
/// [B, n_head, length, head size]. Starts empty and grows by each call. Owns its tensors. One thread.
/// </summary>
public sealed class KvCache : IDisposable
{
    readonly List<(torch.Tensor Key, torch.Tensor Value)> _layers = [];

    /// <summary>Tokens held, at least 0.</summary>
    public int Length => _layers.Count == 0 ? 0 : (int)_layers[0].Key.shape[2];

    /// <summary>Rows of the batch; null while empty.</summary>
    public long? BatchSize => _layers.Count == 0 ? null : _layers[0].Key.shape[0];

    /// <summary>Number of blocks with an entry: 0 while empty, then n_layer.</summary>
    public int LayerCount => _layers.Count;

    /// <summary>Keys and values of one block, [B, n_head, <see cref="Length"/>, head size]; they stay the cache's.</summary>
    /// <param name="layer">Block, 0 … <see cref="LayerCount"/> − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such block.</exception>
    public (torch.Tensor Key, torch.Tensor Value) this[int layer] => _layers[layer];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (key, value) in _layers)
        {
            key.Dispose();
            value.Dispose();
        }

        _layers.Clear();
    }

    // Blocks append in order, so the first call of all adds entries and later ones replace them.
    internal (torch.Tensor Key, torch.Tensor Value) Append(int layer, torch.Tensor key, torch.Tensor value)
    {
        if (layer == _layers.Count)
        {
            _layers.Add((key.clone().DetachFromDisposeScope(), value.clone().DetachFromDisposeScope()));
            return _layers[layer];
        }

        var (pastKey, pastValue) = _layers[layer];
        _layers[layer] = (
            torch.cat([pastKey, key], 2).DetachFromDisposeScope(),
            torch.cat([pastValue, value], 2).DetachFromDisposeScope());
        pastKey.Dispose();
        pastValue.Dispose();
        return _layers[layer];
    }
}
