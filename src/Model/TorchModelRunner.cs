using System.Runtime.InteropServices;
using IgptCluster.Engine;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace IgptCluster.Model;

/// <summary>
/// Runs the engine's steps: all chunks of a step as one flat batch of tokens through the network, each attending to its own KV slot in place.
/// Made, called and disposed on the engine's thread.
/// </summary>
public sealed class TorchModelRunner : IModelRunner
{
    readonly ImageGpt _network;

    // Per layer, [slots, heads, positions, head size].
    readonly Tensor[] _keys;
    readonly Tensor[] _values;
    float[] _logits = [];
    float[] _scores = [];

    /// <summary>Preallocates the KV slots.</summary>
    /// <param name="network">The network, which the runner then owns.</param>
    /// <param name="slots">Number of KV slots, at least 1; each takes <see cref="SlotBytes"/>.</param>
    public TorchModelRunner(ImageGpt network, int slots)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        (_network, SlotCount) = (network, slots);
        Shape = ShapeOf(network.Config, network.Architecture);
        ImageGptConfig config = network.Config;
        Tensor[] Slab() => [.. Enumerable.Range(0, config.LayerCount).Select(_ =>
            zeros(slots, config.HeadCount, config.PositionCount, config.HeadSize, dtype: network.DType, device: network.Device).DetachFromDisposeScope())];
        (_keys, _values) = (Slab(), Slab());
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public int SlotCount { get; }

    /// <summary>The engine's view of a configuration.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="architecture">Which heads it has.</param>
    public static ModelShape ShapeOf(ImageGptConfig config, ImageGptArchitecture architecture) => new()
    {
        VocabularySize = config.VocabSize,
        LogitCount = architecture != ImageGptArchitecture.CausalImageModeling ? 0 : config.TieWordEmbeddings ? config.VocabSize : config.VocabSize - 1,
        PositionCount = config.PositionCount,
        LayerCount = config.LayerCount,
        EmbeddingSize = config.EmbeddingSize,
    };

    /// <summary>Bytes of one KV slot: 2 · n_layer · n_positions · n_embd values.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="dtype">Data type of the network.</param>
    public static long SlotBytes(ImageGptConfig config, ScalarType dtype) =>
        2L * config.LayerCount * config.PositionCount * config.EmbeddingSize * CheckpointTensor.SizeOf(dtype);

    /// <inheritdoc/>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        foreach (PrefixCopy copy in plan.Copies)
        {
            Copy(copy);
        }

        return plan.Chunks.Count == 0 ? [] : Run(plan.Chunks);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor slab in _keys.Concat(_values))
        {
            slab.Dispose();
        }

        _network.Dispose();
    }

    void Copy(PrefixCopy copy)
    {
        foreach (Tensor slab in _keys.Concat(_values))
        {
            slab[copy.TargetSlot].narrow(1, 0, copy.Length).copy_(slab[copy.SourceSlot].narrow(1, 0, copy.Length));
        }
    }

    ChunkOutput[] Run(IReadOnlyList<SequenceChunk> chunks)
    {
        Rows[] rows = Place(chunks);
        int count = rows[^1].Row + rows[^1].Count;
        long[] ids = new long[count];
        long[] positions = new long[count];
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<int> tokens = chunks[i].Tokens.Span;
            for (int k = 0; k < tokens.Length; k++)
            {
                (ids[rows[i].Row + k], positions[rows[i].Row + k]) = (tokens[k], chunks[i].Start + k);
            }
        }

        PooledSums pooled = new(chunks, rows, Shape.EmbeddingSize);
        Device device = _network.Device;
        Tensor embedded = _network.Embed(tensor(ids, device: device), tensor(positions, device: device));
        Tensor last = _network.Blocks(embedded, (layer, q, k, v) => Attend(layer, rows, q, k, v), pooled.IsWanted ? pooled.Observe : null);
        if (pooled.Wants(Shape.LayerCount))
        {
            pooled.Observe(Shape.LayerCount, _network.FinalNorm(last));
        }

        return Outputs(chunks, rows, last, pooled);
    }

    static Rows[] Place(IReadOnlyList<SequenceChunk> chunks)
    {
        var rows = new Rows[chunks.Count];
        int row = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new Rows(row, chunks[i].Tokens.Length, chunks[i].Slot, chunks[i].Start);
            row += chunks[i].Tokens.Length;
        }

        return rows;
    }

    /// <summary>Writes each chunk's keys and values into its slot, then lets its queries attend to all the slot holds up to themselves.</summary>
    Tensor Attend(int layer, Rows[] rows, Tensor q, Tensor k, Tensor v)
    {
        ImageGptConfig config = _network.Config;
        long tokens = q.shape[0];
        Tensor queries = (q * _network.ScoreScale(layer)).view(tokens, config.HeadCount, config.HeadSize);
        Tensor keys = k.view(tokens, config.HeadCount, config.HeadSize);
        Tensor values = v.view(tokens, config.HeadCount, config.HeadSize);
        Tensor attended = empty(tokens, config.HeadCount, config.HeadSize, dtype: q.dtype, device: q.device);
        foreach (Rows chunk in rows)
        {
            using var scope = NewDisposeScope();
            Tensor slotKeys = _keys[layer][chunk.Slot];                                                        // [heads, positions, size], a view
            Tensor slotValues = _values[layer][chunk.Slot];
            slotKeys.narrow(1, chunk.Start, chunk.Count).copy_(keys.narrow(0, chunk.Row, chunk.Count).transpose(0, 1));
            slotValues.narrow(1, chunk.Start, chunk.Count).copy_(values.narrow(0, chunk.Row, chunk.Count).transpose(0, 1));
            Tensor result = AttendOne(
                queries.narrow(0, chunk.Row, chunk.Count).transpose(0, 1).unsqueeze(0),                        // [1, heads, count, size]
                slotKeys.narrow(1, 0, chunk.Start + chunk.Count).unsqueeze(0),                                 // [1, heads, start + count, size]
                slotValues.narrow(1, 0, chunk.Start + chunk.Count).unsqueeze(0),
                chunk.Start);
            attended.narrow(0, chunk.Row, chunk.Count).copy_(result[0].transpose(0, 1));
        }

        return attended.view(tokens, config.EmbeddingSize);
    }

    /// <summary>Queries are scaled already, hence the division that undoes the kernel's own 1/√size.</summary>
    Tensor AttendOne(Tensor queries, Tensor keys, Tensor values, long start)
    {
        long count = queries.shape[2];
        Tensor? mask = count > 1 && start > 0 ? ones(count, start + count, dtype: ScalarType.Bool, device: queries.device).tril(start) : null;
        if (_network.Config.ReorderAndUpcastAttention && queries.dtype != ScalarType.Float32)
        {
            Tensor scores = queries.to_type(ScalarType.Float32).matmul(keys.to_type(ScalarType.Float32).transpose(-1, -2));
            Tensor allowed = mask ?? ones(count, start + count, dtype: ScalarType.Bool, device: queries.device).tril(start);
            return functional.softmax(scores.masked_fill(allowed.logical_not(), double.NegativeInfinity), -1).to_type(queries.dtype).matmul(values);
        }

        Tensor rescaled = queries * Math.Sqrt(_network.Config.HeadSize);
        return functional.scaled_dot_product_attention(rescaled, keys, values, mask, 0, is_casual: count > 1 && start == 0);
    }

    ChunkOutput[] Outputs(IReadOnlyList<SequenceChunk> chunks, Rows[] rows, Tensor last, PooledSums pooled)
    {
        int colours = Shape.LogitCount;
        (int logits, int scores) = (0, 0);
        for (int i = 0; i < rows.Length; i++)
        {
            logits += chunks[i].WantsLogits ? 1 : 0;
            scores += chunks[i].Targets.Length;
        }

        FillLogits(chunks, rows, last, logits);
        FillScores(chunks, rows, last, scores);
        var outputs = new ChunkOutput[rows.Length];
        (int logit, int score, int sum) = (0, 0, 0);
        for (int i = 0; i < outputs.Length; i++)
        {
            int width = chunks[i].PooledLayers.Count * Shape.EmbeddingSize;
            outputs[i] = new ChunkOutput
            {
                Logits = chunks[i].WantsLogits ? _logits.AsMemory(logit, colours) : default,
                LogProbabilities = _scores.AsMemory(score, chunks[i].Targets.Length),
                PooledSums = pooled.Sums.AsMemory(sum, width),
            };
            logit += chunks[i].WantsLogits ? colours : 0;
            score += chunks[i].Targets.Length;
            sum += width;
        }

        return outputs;
    }

    /// <summary>Logits after the last token of each chunk that wants them.</summary>
    void FillLogits(IReadOnlyList<SequenceChunk> chunks, Rows[] rows, Tensor last, int wanted)
    {
        if (wanted > 0)
        {
            long[] ends = [.. Enumerable.Range(0, rows.Length).Where(i => chunks[i].WantsLogits).Select(i => (long)(rows[i].Row + rows[i].Count - 1))];
            Tensor selected = last.index_select(0, tensor(ends, device: last.device));
            Read(_network.LanguageLogits(_network.FinalNorm(selected)), ref _logits);
        }
    }

    /// <summary>Log-probability of each target, chunk by chunk: logits of all positions at once would take n · colours values.</summary>
    void FillScores(IReadOnlyList<SequenceChunk> chunks, Rows[] rows, Tensor last, int wanted)
    {
        if (wanted == 0)
        {
            return;
        }

        var parts = new List<Tensor>();
        for (int i = 0; i < rows.Length; i++)
        {
            if (chunks[i].Targets.Length > 0)
            {
                using var scope = NewDisposeScope();
                Tensor logits = _network.LanguageLogits(_network.FinalNorm(last.narrow(0, rows[i].Row, rows[i].Count)));
                Tensor targets = tensor(Array.ConvertAll(chunks[i].Targets.ToArray(), target => (long)target), device: last.device).unsqueeze(1);
                parts.Add(functional.log_softmax(logits.to_type(ScalarType.Float32), -1).gather(1, targets).squeeze(1).MoveToOuterDisposeScope());
            }
        }

        Read(cat([.. parts]), ref _scores);
    }

    static void Read(Tensor tensor, ref float[] values)
    {
        Tensor read = tensor.to_type(ScalarType.Float32).cpu().contiguous();
        Span<float> source = MemoryMarshal.Cast<byte, float>(read.bytes);
        if (values.Length < source.Length)
        {
            values = new float[source.Length];
        }

        source.CopyTo(values);
    }

    readonly record struct Rows(int Row, int Count, int Slot, int Start);

    /// <summary>Sums of the wanted hidden states per chunk, gathered while the blocks run.</summary>
    sealed class PooledSums
    {
        readonly IReadOnlyList<SequenceChunk> _chunks;
        readonly Rows[] _rows;
        readonly int[] _offsets;
        readonly int _width;

        internal PooledSums(IReadOnlyList<SequenceChunk> chunks, Rows[] rows, int width)
        {
            (_chunks, _rows, _width) = (chunks, rows, width);
            _offsets = new int[chunks.Count];
            int offset = 0;
            for (int i = 0; i < _offsets.Length; i++)
            {
                _offsets[i] = offset;
                offset += chunks[i].PooledLayers.Count * width;
            }

            Sums = new float[offset];
        }

        internal float[] Sums { get; }

        internal bool IsWanted => Sums.Length > 0;

        internal bool Wants(int layer) => _chunks.Any(chunk => chunk.PooledLayers.Contains(layer));

        internal void Observe(int layer, Tensor hidden)
        {
            for (int i = 0; i < _rows.Length; i++)
            {
                int index = _chunks[i].PooledLayers.Count == 0 ? -1 : _chunks[i].PooledLayers.ToList().IndexOf(layer);
                if (index >= 0)
                {
                    using var scope = NewDisposeScope();
                    Tensor sum = hidden.narrow(0, _rows[i].Row, _rows[i].Count).to_type(ScalarType.Float32).sum(dim: 0).cpu();
                    MemoryMarshal.Cast<byte, float>(sum.bytes).CopyTo(Sums.AsSpan(_offsets[i] + (index * _width)));
                }
            }
        }
    }
}
