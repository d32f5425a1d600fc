using IgptCluster.Engine.Runner;
using static TorchSharp.torch;

namespace IgptCluster.Model.Torch;

/// <summary>One step's chunks as a flat batch of N tokens: what goes to the device, and which rows belong to whom. Its tensors lie in the caller's dispose scope.</summary>
sealed class FlatStep
{
    readonly Tensor?[] _masks; // bool [T, start + T]
    readonly List<(int Layer, int Index, int Row)> _pooledRows = [];

    public FlatStep(IReadOnlyList<SequenceChunk> chunks, Device device)
    {
        Chunks = chunks;
        Offsets = new int[chunks.Count];
        _masks = new Tensor?[chunks.Count];
        var ids = new List<long>();
        var slots = new List<long>();
        var positions = new List<long>();
        for (int index = 0; index < chunks.Count; index++)
        {
            SequenceChunk chunk = chunks[index];
            Offsets[index] = ids.Count;
            for (int token = 0; token < chunk.Tokens.Length; token++)
            {
                ids.Add(chunk.Tokens.Span[token]);
                slots.Add(chunk.Slot);
                positions.Add(chunk.Start + token);
            }

            _masks[index] = ImageGpt.CausalMask(chunk.Tokens.Length, chunk.Start + chunk.Tokens.Length, device);
            AddOutputs(index, chunk, ids.Count);
        }

        TokenCount = ids.Count;
        Ids = tensor(ids, device: device);
        Slots = tensor(slots, device: device);
        Positions = tensor(positions, device: device);
    }

    public IReadOnlyList<SequenceChunk> Chunks { get; }

    /// <summary>Each chunk's first row.</summary>
    public int[] Offsets { get; }

    public int TokenCount { get; }

    /// <summary>int64 [N].</summary>
    public Tensor Ids { get; }

    /// <summary>Each token's KV slot, int64 [N].</summary>
    public Tensor Slots { get; }

    /// <summary>Each token's input position, int64 [N].</summary>
    public Tensor Positions { get; }

    /// <summary>Rows whose logits are wanted, in the chunks' order.</summary>
    public List<long> LogitRows { get; } = [];

    /// <summary>Rows that have a target, in the chunks' order.</summary>
    public List<long> TargetRows { get; } = [];

    /// <summary>The target of each of <see cref="TargetRows"/>.</summary>
    public List<long> Targets { get; } = [];

    public int PooledRowCount => _pooledRows.Count;

    /// <summary>The chunks that want one hidden state's sum, each with its row of the result.</summary>
    public IEnumerable<(int Index, int Row)> PooledRows(int layer) =>
        _pooledRows.Where(pooled => pooled.Layer == layer).Select(pooled => (pooled.Index, pooled.Row));

    /// <summary>A chunk's causal mask for <see cref="ImageGpt.Attend"/>, made once for all blocks; null where it needs none.</summary>
    public Tensor? Mask(int index) => _masks[index];

    void AddOutputs(int index, SequenceChunk chunk, int end)
    {
        for (int row = end - chunk.LogitRows; row < end; row++)
            (chunk.Targets.IsEmpty ? LogitRows : TargetRows).Add(row);
        foreach (int target in chunk.Targets.Span)
            Targets.Add(target);

        foreach (int layer in chunk.PooledLayers)
        {
            _pooledRows.Add((layer, index, _pooledRows.Count));
        }
    }
}
