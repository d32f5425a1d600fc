using System.Numerics.Tensors;
using IgptCluster.Engine.Runner;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Runs step plans on processors with 512-bit vectors. Every product reads weights, keys and values where they lie, through <see cref="TileKernel"/>, and what
/// follows it happens to a tile while that is in the nearest cache. A token's result depends on its own sequence alone: not on other sequences of the
/// step, nor on how its prefix was cut into chunks, to the last bit. Created, called and disposed on one thread; brings its other threads along.
/// </summary>
/// <remarks>Shapes in comments: N tokens of the step, E n_embd, F inner width. A stage is what all threads do before they wait for each other.</remarks>
public sealed unsafe class CpuModelRunner : IModelRunner
{
    const int RowsOfItem = 8;

    // Runners of one process take turns by the step: two at once would only wait for each other's threads.
    static readonly Lock Turn = new();

    readonly CpuNetwork _network;
    readonly KvArena _arena;
    readonly WorkerPool _pool;
    readonly StepRows _rows;
    readonly CpuOutputs _outputs;
    readonly SlotAttention[] _attention; // one a worker
    readonly AlignedMemory[] _scratch; // one row a worker
    readonly Stages _stages;
    int _layer;
    PrefixCopy _copy;

    /// <summary>Takes over a network and allocates its KV slots.</summary>
    /// <param name="network">The network; disposed with the runner.</param>
    /// <param name="options">Slots, their type, threads.</param>
    /// <exception cref="ArgumentException">The number of slots or threads is below 1.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory for the slots; the network stays the caller's.</exception>
    public CpuModelRunner(CpuNetwork network, CpuRunnerOptions options)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Slots, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        (_network, SlotCount) = (network, options.Slots);
        _arena = new KvArena(new KvLayout(TileOf(options.KeyValueType), network.Config), network.Config, options.Slots);
        _pool = new WorkerPool(options.Threads, options.PinsThreads ?? options.Threads >= Processors.OneOfEachCore(Processors.Allowed()).Length);
        _rows = new StepRows(network);
        _outputs = new CpuOutputs(network);
        _attention = [.. Enumerable.Range(0, options.Threads).Select(_ => new SlotAttention(_arena, network.Config.PositionCount))];
        _scratch = [.. Enumerable.Range(0, options.Threads).Select(_ => new AlignedMemory(Math.Max(network.Config.EmbeddingSize, network.Config.FeedForwardSize) * sizeof(float)))];
        _stages = new Stages(this);
    }

    /// <inheritdoc/>
    public ModelShape Shape => _network.Shape;

    /// <inheritdoc/>
    public int SlotCount { get; }

    CpuNetwork.Block Block => _network.Blocks[_layer];

    /// <summary>Memory of one KV slot in bytes.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="type">Type of keys and values.</param>
    public static long SlotBytes(ImageGptConfig config, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new KvLayout(TileOf(type), config).HeadBytes * config.HeadCount * config.LayerCount;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The plan breaks a rule (named with the value); nothing was computed and the runner stays usable.</exception>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        StepPlanRules.Check(plan, Shape, SlotCount);
        lock (Turn)
            return Run(plan);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _rows.Dispose();
        _outputs.Dispose();
        Array.ForEach(_attention, one => one.Dispose());
        Array.ForEach(_scratch, one => one.Dispose());
        _arena.Dispose();
        _network.Dispose();
    }

    IReadOnlyList<ChunkOutput> Run(StepPlan plan)
    {
        for (int index = 0; index < plan.Copies.Count; index++)
        {
            _copy = plan.Copies[index];
            _pool.Run(Shape.LayerCount * _network.Config.HeadCount, _stages.Copy);
        }

        if (plan.Chunks.Count == 0)
            return [];
        _rows.Take(plan.Chunks);
        _outputs.Begin(_rows);
        ForRows(_stages.Embed);
        for (_layer = 0; _layer < Shape.LayerCount; _layer++)
        {
            _outputs.Pool(_layer);
            ForRows(_stages.NormForAttention);
            _pool.Run(Block.QueryKeyValue.PanelCount, _stages.QueryKeyValue);
            _pool.Run(plan.Chunks.Count * _network.Config.HeadCount, _stages.Attend);
            RoundIfBytes(_stages.RoundMixed);
            _pool.Run(Block.AttentionOutput.PanelCount, _stages.AddAttention);
            ForRows(_stages.NormForMlp);
            _pool.Run(Block.MlpInner.PanelCount, _stages.Inner);
            RoundIfBytes(_stages.RoundInner);
            _pool.Run(Block.MlpOutput.PanelCount, _stages.AddMlp);
        }

        _outputs.NormLast(_scratch[0].Floats);
        if (_outputs.LogitRowCount > 0)
            _pool.Run(_network.Head!.PanelCount, _stages.Head);
        return _outputs.Finish();
    }

    static TileType TileOf(ScalarType type) => type switch { ScalarType.Float32 => TileType.Float32, ScalarType.BFloat16 => TileType.BFloat16, _ => TileType.Int8 };

    void ForRows(Action<int> stage) => _pool.Run((_rows.Count + RowsOfItem - 1) / RowsOfItem, stage);

    void RoundIfBytes(Action<int> stage)
    {
        if (_network.Type == TileType.Int8)
            ForRows(stage);
    }

    /// <summary>What the threads do, as delegates that are made once.</summary>
    sealed class Stages
    {
        readonly CpuModelRunner _runner;

        internal Stages(CpuModelRunner runner)
        {
            _runner = runner;
            (StepRows rows, CpuNetwork network) = (runner._rows, runner._network);
            Copy = EachItem((item, _) => runner._arena.CopyPrefix(
                new PrefixRange(item / network.Config.HeadCount, item % network.Config.HeadCount, runner._copy.SourceSlot, runner._copy.TargetSlot, runner._copy.Length)));
            Embed = EachRow((row, _) => runner.EmbedRow(row));
            NormForAttention = EachRow((row, worker) => runner.NormRow(runner.Block.AttentionNorm, row, worker));
            NormForMlp = EachRow((row, worker) => runner.NormRow(runner.Block.MlpNorm, row, worker));
            QueryKeyValue = EachItem((panel, _) => PanelProduct.Run(
                runner.Block.QueryKeyValue, panel, rows.Normed, rows.Count, new StoreEpilogue(rows.QueryKeyValue.Floats, runner.Block.QueryKeyValue.PaddedOutputs)));
            Attend = EachItem(runner.AttendHead);
            RoundMixed = EachRow((row, _) => rows.Mixed.Write(row, rows.Wide.Floats + ((long)row * rows.Stride)));
            AddAttention = EachItem((panel, _) => PanelProduct.Run(runner.Block.AttentionOutput, panel, rows.Mixed, rows.Count, new AddEpilogue(rows.Residual.Floats, rows.Stride)));
            Inner = EachItem((panel, _) => PanelProduct.Run(runner.Block.MlpInner, panel, rows.Normed, rows.Count, runner.InnerEpilogue()));
            RoundInner = EachRow((row, _) => rows.Inner.Write(row, rows.Wide.Floats + ((long)row * runner.Block.MlpInner.PaddedOutputs)));
            AddMlp = EachItem((panel, _) => PanelProduct.Run(runner.Block.MlpOutput, panel, rows.Inner, rows.Count, new AddEpilogue(rows.Residual.Floats, rows.Stride)));
            Head = EachItem((panel, _) => PanelProduct.Run(network.Head!, panel, rows.Last, runner._outputs.LogitRowCount, runner._outputs.LogitEpilogue()));
        }

        internal Action<int> Copy { get; }

        internal Action<int> Embed { get; }

        internal Action<int> NormForAttention { get; }

        internal Action<int> QueryKeyValue { get; }

        internal Action<int> Attend { get; }

        internal Action<int> RoundMixed { get; }

        internal Action<int> AddAttention { get; }

        internal Action<int> NormForMlp { get; }

        internal Action<int> Inner { get; }

        internal Action<int> RoundInner { get; }

        internal Action<int> AddMlp { get; }

        internal Action<int> Head { get; }

        Action<int> EachItem(Action<int, int> work) => worker =>
        {
            while (_runner._pool.TryTake(worker, out int item))
                work(item, worker);
        };

        Action<int> EachRow(Action<int, int> work) => EachItem((item, worker) =>
        {
            for (int row = item * RowsOfItem; row < Math.Min((item + 1) * RowsOfItem, _runner._rows.Count); row++)
                work(row, worker);
        });
    }

    void EmbedRow(int row)
    {
        int width = Shape.EmbeddingSize;
        var colour = new ReadOnlySpan<float>(_network.TokenEmbedding.Floats + ((long)_rows.Token(row) * width), width);
        var place = new ReadOnlySpan<float>(_network.PositionEmbedding.Floats + ((long)_rows.Position(row) * width), width);
        TensorPrimitives.Add(colour, place, new Span<float>(_rows.ResidualRow(row), width));
    }

    void NormRow(FloatVector gain, int row, int worker)
    {
        RowMath.Norm(_rows.ResidualRow(row), gain.Floats, _scratch[worker].Floats, Shape.EmbeddingSize, (float)_network.Config.LayerNormEpsilon);
        _rows.Normed.Write(row, _scratch[worker].Floats);
    }

    QuickGeluEpilogue InnerEpilogue() => _network.Type == TileType.Int8
        ? new QuickGeluEpilogue(TileType.Float32, _rows.Wide.Start, (nint)Block.MlpInner.PaddedOutputs * sizeof(float))
        : new QuickGeluEpilogue(_rows.Inner.Type, _rows.Inner.Row(0), _rows.Inner.Stride);

    // One head of one chunk: its own keys and values first, then its queries.
    void AttendHead(int item, int worker)
    {
        int heads = _network.Config.HeadCount;
        (int index, int head) = (item / heads, item % heads);
        SequenceChunk chunk = _rows.Chunks[index];
        int row = _rows.Offset(index);
        int padded = Block.QueryKeyValue.PaddedOutputs;
        float* query = _rows.QueryKeyValue.Floats + ((long)row * padded) + (head * _network.Config.HeadSize);
        (nint stride, int width) = ((nint)padded * sizeof(float), Shape.EmbeddingSize);
        var place = new KvPlace(_layer, chunk.Slot, head);
        _arena.Write(place, chunk.Start, chunk.Tokens.Length, new KeyValueRows((nint)(query + width), (nint)(query + (2 * width)), stride));
        MixedRows all = _network.Type == TileType.Int8
            ? new MixedRows(TileType.Float32, (nint)_rows.Wide.Start, (nint)_rows.Stride * sizeof(float))
            : new MixedRows(_rows.Mixed.Type, (nint)_rows.Mixed.Row(0), _rows.Mixed.Stride);
        MixedRows own = all with { Address = (nint)all.Row(row, head * _network.Config.HeadSize) };
        _attention[worker].Run(place, ScoreScale(), new QueryRows((nint)query, stride, chunk.Start, chunk.Tokens.Length), own);
    }

    float ScoreScale()
    {
        double scale = _network.Config.ScaleAttentionWeights ? 1 / Math.Sqrt(_network.Config.HeadSize) : 1;
        return (float)(_network.Config.ScaleAttentionByInverseLayerIndex ? scale / (_layer + 1) : scale);
    }
}
