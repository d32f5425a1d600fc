using System.Runtime.InteropServices;
using IgptCluster.Engine.Runner;
using TorchSharp;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace IgptCluster.Model.Torch;

/// <summary>
/// Runs step plans on an <see cref="ImageGpt"/>: all chunks' tokens go through norms, projections and MLPs as one flat batch,
/// and each chunk attends over its own KV slot in place, at its exact length. Owns the network and one KV slab per block,
/// [2, slots, n_head, n_positions, head size] in the network's dtype. Created, called and disposed on one thread.
/// </summary>
/// <remarks>Shapes in comments: N tokens of the step, T of a chunk, E n_embd, H heads, D head size.</remarks>
public sealed class TorchModelRunner : IModelRunner
{
    readonly ImageGpt _network;
    readonly Tensor[] _slabs;

    // Host memory of the outputs, reused by every step.
    float[] _logits = [];
    float[] _logProbabilities = [];
    float[] _chunkSums = [];
    double[] _pooledSums = [];
    ChunkOutput[] _outputs = [];

    /// <summary>Takes over a network and allocates its KV slots.</summary>
    /// <param name="network">The network; disposed with the runner.</param>
    /// <param name="options">How many slots.</param>
    /// <exception cref="ArgumentException">The number of slots is below 1.</exception>
    /// <exception cref="ExternalException">The device's memory does not hold the slots; the network stays the caller's.</exception>
    public TorchModelRunner(ImageGpt network, TorchRunnerOptions options)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Slots, 1);
        _network = network;
        Shape = ShapeOf(network.Config, network.Architecture);
        SlotCount = options.Slots;
        ImageGptConfig config = network.Config;
        long[] size = [2, SlotCount, config.HeadCount, config.PositionCount, config.HeadSize];
        using DisposeScope scope = NewDisposeScope();
        _slabs = [.. Enumerable.Range(0, config.LayerCount).Select(_ => empty(size, dtype: network.Dtype, device: network.Device))];
        scope.Detach(_slabs);
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public int SlotCount { get; }

    /// <summary>The sizes of a model by its configuration.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="architecture">Its head.</param>
    public static ModelShape ShapeOf(ImageGptConfig config, ImageGptArchitecture architecture)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new ModelShape
        {
            VocabularySize = config.VocabSize,
            LogitCount = architecture != ImageGptArchitecture.CausalImageModeling ? 0
                : config.TieWordEmbeddings ? config.VocabSize : config.VocabSize - 1,
            PositionCount = config.PositionCount,
            LayerCount = config.LayerCount,
            EmbeddingSize = config.EmbeddingSize,
        };
    }

    /// <summary>Device memory of one KV slot in bytes: 2 · n_layer · n_positions · n_embd values.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="dtype">The network's number type.</param>
    public static long SlotBytes(ImageGptConfig config, ScalarType dtype)
    {
        ArgumentNullException.ThrowIfNull(config);
        return 2L * config.LayerCount * config.PositionCount * config.EmbeddingSize * dtype.ElementSize();
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The plan breaks a rule (named with the value); nothing was computed and the runner stays usable.</exception>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        StepPlanRules.Check(plan, Shape, SlotCount);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        foreach (PrefixCopy copy in plan.Copies)
        {
            CopyPrefix(copy);
        }

        if (plan.Chunks.Count == 0)
            return [];
        var step = new FlatStep(plan.Chunks, _network.Device);
        Tensor x = ImageGpt.Add(_network.Embed(step.Ids), _network.Place(step.Positions)); // [N, E]
        Tensor sums = empty(step.PooledRowCount, Shape.EmbeddingSize, dtype: ScalarType.Float32, device: _network.Device);
        for (int layer = 0; layer < Shape.LayerCount; layer++)
        {
            Pool(layer, x, sums, step);
            Tensor block = _network.RunBlock(layer, x, queryKeyValue => AttendInSlots(layer, queryKeyValue, step));
            x.Dispose();
            x = block;
        }

        Pool(Shape.LayerCount, x, sums, step);
        Fetch(sums, ref _chunkSums);
        ComputeLogits(x, step);
        ComputeLogProbabilities(x, step);
        return Outputs(step);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor slab in _slabs)
        {
            slab.Dispose();
        }

        _network.Dispose();
    }

    void CopyPrefix(PrefixCopy copy)
    {
        foreach (Tensor slab in _slabs)
        {
            using DisposeScope scope = NewDisposeScope();
            slab.select(1, copy.TargetSlot).narrow(2, 0, copy.Length).copy_(slab.select(1, copy.SourceSlot).narrow(2, 0, copy.Length));
        }
    }

    // Queries, keys and values [N, 3E] to mixed values [N, E].
    Tensor AttendInSlots(int layer, Tensor queryKeyValue, FlatStep step)
    {
        using DisposeScope scope = NewDisposeScope();
        ImageGptConfig config = _network.Config;
        Tensor slab = _slabs[layer]; // [2, slots, H, n_positions, D]
        Tensor parts = queryKeyValue.reshape(-1, 3, config.HeadCount, config.HeadSize); // [N, 3, H, D]
        slab.index_put_(parts.narrow(1, 1, 2), TensorIndex.Colon, TensorIndex.Tensor(step.Slots), TensorIndex.Colon, TensorIndex.Tensor(step.Positions));
        Tensor queries = parts.select(1, 0).unsqueeze(0).transpose(1, 2); // [1, H, N, D]
        var mixed = new Tensor[step.Chunks.Count];
        for (int index = 0; index < mixed.Length; index++)
        {
            SequenceChunk chunk = step.Chunks[index];
            int length = chunk.Tokens.Length;
            Tensor[] keysAndValues = slab.narrow(1, chunk.Slot, 1).narrow(3, 0, chunk.Start + length).unbind(0); // 2 × [1, H, start + T, D]
            var heads = new ImageGpt.HeadTensors(queries.narrow(2, step.Offsets[index], length), keysAndValues[0], keysAndValues[1]);
            mixed[index] = _network.Attend(layer, heads, step.Mask(index)); // [1, H, T, D]
        }

        return cat(mixed, 2).transpose(1, 2).reshape(step.TokenCount, -1).MoveToOuterDisposeScope();
    }

    // Writes the sums over each chunk's positions of one hidden state, [rows, E], float32.
    void Pool(int layer, Tensor x, Tensor sums, FlatStep step)
    {
        using DisposeScope scope = NewDisposeScope();
        foreach (var (index, row) in step.PooledRows(layer))
        {
            Tensor rows = x.narrow(0, step.Offsets[index], step.Chunks[index].Tokens.Length); // [T, E]
            Tensor hidden = layer == Shape.LayerCount ? _network.FinalNorm(rows) : rows;
            sums.select(0, row).copy_(hidden.sum(0, type: ScalarType.Float32));
        }
    }

    void ComputeLogits(Tensor x, FlatStep step)
    {
        if (step.LogitRows.Count == 0)
            return;
        using DisposeScope scope = NewDisposeScope();
        Fetch(Logits(x, step.LogitRows), ref _logits);
    }

    void ComputeLogProbabilities(Tensor x, FlatStep step)
    {
        if (step.TargetRows.Count == 0)
            return;
        using DisposeScope scope = NewDisposeScope();
        Tensor targets = tensor(step.Targets, device: _network.Device).unsqueeze(-1); // [rows, 1]
        Fetch(Logits(x, step.TargetRows).log_softmax(-1).gather(1, targets), ref _logProbabilities);
    }

    // Logits of some rows, float32 [rows, logits].
    Tensor Logits(Tensor x, List<long> rows)
    {
        Tensor chosen = rows.Count == x.shape[0] ? x : x.index_select(0, tensor(rows, device: _network.Device));
        return _network.Head(_network.FinalNorm(chosen)).to_type(ScalarType.Float32);
    }

    ChunkOutput[] Outputs(FlatStep step)
    {
        if (_outputs.Length != step.Chunks.Count)
            _outputs = new ChunkOutput[step.Chunks.Count];
        if (_pooledSums.Length < _chunkSums.Length)
            _pooledSums = new double[_chunkSums.Length];
        (int logits, int targets, int sums) = (0, 0, 0);
        for (int index = 0; index < _outputs.Length; index++)
        {
            SequenceChunk chunk = step.Chunks[index];
            _outputs[index] = new ChunkOutput
            {
                Logits = Next(_logits, ref logits, chunk.Targets.IsEmpty ? chunk.LogitRows * Shape.LogitCount : 0),
                LogProbabilities = Next(_logProbabilities, ref targets, chunk.Targets.Length),
                PooledSums = AddSums(chunk, ref sums),
            };
        }

        return _outputs;
    }

    ReadOnlyMemory<double> AddSums(SequenceChunk chunk, ref int offset)
    {
        Memory<double> part = _pooledSums.AsMemory(offset, chunk.PooledLayers.Count * Shape.EmbeddingSize);
        TensorPrimitives.ConvertSaturating<float, double>(_chunkSums.AsSpan(offset, part.Length), part.Span);
        if (!chunk.PooledBefore.IsEmpty)
            TensorPrimitives.Add(chunk.PooledBefore.Span, part.Span, part.Span);
        offset += part.Length;
        return part;
    }

    static ReadOnlyMemory<float> Next(float[] buffer, ref int offset, int count)
    {
        ReadOnlyMemory<float> part = buffer.AsMemory(offset, count);
        offset += count;
        return part;
    }

    // Device to host, into a buffer that only grows.
    static void Fetch(Tensor values, ref float[] buffer)
    {
        int count = checked((int)values.NumberOfElements);
        if (buffer.Length < count)
            buffer = new float[count];
        MemoryMarshal.Cast<byte, float>(values.cpu().contiguous().bytes).CopyTo(buffer);
    }
}
