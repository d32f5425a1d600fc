using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Cpu;

/// <summary>A step's tokens as N rows, and the memory they go through: grows to the largest step and is kept. One caller at a time.</summary>
internal sealed unsafe class StepRows : IDisposable
{
    readonly CpuNetwork _network;
    readonly List<IDisposable> _owned = [];
    int[] _tokens = [];
    int[] _positions = [];
    int[] _offsets = [];

    internal StepRows(CpuNetwork network)
    {
        _network = network;
        Reserve(1);
    }

    /// <summary>Rows of this step.</summary>
    internal int Count { get; private set; }

    /// <summary>The chunks in this step.</summary>
    internal IReadOnlyList<SequenceChunk> Chunks { get; private set; } = [];

    /// <summary>Floats from row to row of <see cref="Residual"/>.</summary>
    internal int Stride { get; private set; }

    /// <summary>float32 [N, E].</summary>
    internal AlignedMemory Residual { get; private set; } = null!;

    /// <summary>Normed residual [N, E].</summary>
    internal RowBuffer Normed { get; private set; } = null!;

    /// <summary>Queries, keys and values, float32 [N, 3E].</summary>
    internal AlignedMemory QueryKeyValue { get; private set; } = null!;

    /// <summary>Attention's result [N, E].</summary>
    internal RowBuffer Mixed { get; private set; } = null!;

    /// <summary>The MLP's inner values [N, F].</summary>
    internal RowBuffer Inner { get; private set; } = null!;

    /// <summary>The same in float32 before they become bytes.</summary>
    internal AlignedMemory Wide { get; private set; } = null!;

    /// <summary>Rows whose logits are wanted, normed.</summary>
    internal RowBuffer Last { get; private set; } = null!;

    int Capacity { get; set; }

    /// <summary>Takes a step's tokens.</summary>
    internal void Take(IReadOnlyList<SequenceChunk> chunks)
    {
        (Chunks, Count) = (chunks, 0);
        for (int index = 0; index < chunks.Count; index++)
            Count += chunks[index].Tokens.Length;
        if (Count > Capacity)
            Reserve(Count);
        if (_offsets.Length < chunks.Count)
            _offsets = new int[chunks.Count];
        int row = 0;
        for (int index = 0; index < chunks.Count; index++)
        {
            SequenceChunk chunk = chunks[index];
            _offsets[index] = row;
            chunk.Tokens.Span.CopyTo(_tokens.AsSpan(row));
            for (int token = 0; token < chunk.Tokens.Length; token++)
                _positions[row++] = chunk.Start + token;
        }
    }

    /// <summary>First row of a chunk.</summary>
    internal int Offset(int chunk) => _offsets[chunk];

    /// <summary>A row's input token.</summary>
    internal int Token(int row) => _tokens[row];

    /// <summary>A row's input position.</summary>
    internal int Position(int row) => _positions[row];

    /// <summary>A row of the residual stream.</summary>
    internal float* ResidualRow(int row) => Residual.Floats + ((long)row * Stride);

    /// <inheritdoc/>
    public void Dispose()
    {
        _owned.ForEach(one => one.Dispose());
        _owned.Clear();
    }

    void Reserve(int rows)
    {
        Dispose();
        Capacity = rows;
        (_tokens, _positions) = (new int[rows], new int[rows]);
        CpuNetwork.Block block = _network.Blocks[0];
        Stride = block.AttentionOutput.PaddedOutputs;
        (int width, int inner) = (_network.Config.EmbeddingSize, _network.Config.FeedForwardSize);
        Residual = Own(new AlignedMemory((long)rows * Stride * sizeof(float)));
        Normed = Own(new RowBuffer(_network.Type, rows, width));
        QueryKeyValue = Own(new AlignedMemory((long)rows * block.QueryKeyValue.PaddedOutputs * sizeof(float)));
        Mixed = Own(new RowBuffer(_network.Type, rows, width));
        Inner = Own(new RowBuffer(_network.Type, rows, inner));
        Wide = Own(new AlignedMemory(_network.Type == TileType.Int8 ? (long)rows * Math.Max(Stride, block.MlpInner.PaddedOutputs) * sizeof(float) : 0));
        Last = Own(new RowBuffer(_network.Head?.Type ?? TileType.Float32, rows, width));
    }

    T Own<T>(T one)
        where T : IDisposable
    {
        _owned.Add(one);
        return one;
    }
}
