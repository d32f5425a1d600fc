using IgptCluster.Engine;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// Runs step plans on a CUDA device by our own kernels (<c>Kernels/*.cu</c>), without libtorch. All tokens of a step go through every kernel together, however
/// long their sequences are. A token's result depends on its own sequence alone: not on others of the step, nor on how its prefix was cut into chunks, to the last
/// bit. Created, called and disposed on one thread.
/// </summary>
/// <remarks>Shapes in comments: N tokens of the step, E n_embd, F inner width, H heads, D numbers of a head with padding.</remarks>
internal sealed class CudaModelRunner : IModelRunner
{
    /// <summary>Numbers that a head may have.</summary>
    internal const int MostHeadSize = 256;

    const int Threads = 128;
    const long Reserve = 2L << 30; // of the device's memory: for a step's rows, and what the driver takes
    const int RowsOfBlock = 4; // rows.cu: a warp a row

    readonly ICudaDevice _device;
    readonly bool _ownsDevice;
    readonly CudaNetwork _network;
    readonly CudaLayout _layout;
    readonly CudaKernels _kernels;
    readonly CudaMemory _cache;
    readonly CudaStep _step;
    readonly CudaBuffers _buffers;
    readonly int _activation;
    readonly CudaOutputs _outputs;

    /// <summary>Takes over a network and allocates its KV slots.</summary>
    /// <param name="device">The device, with the kernels loaded; it must outlive the runner.</param>
    /// <param name="network">The network; disposed with the runner.</param>
    /// <param name="slots">KV slots, at least 1; each costs <see cref="CudaLayout.SlotBytes"/>.</param>
    /// <param name="ownsDevice">Whether the device is disposed with the runner.</param>
    /// <exception cref="CudaException">The device's memory does not hold the slots; the network stays the caller's.</exception>
    internal CudaModelRunner(ICudaDevice device, CudaNetwork network, int slots, bool ownsDevice = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        (_device, _ownsDevice, _network, _layout, SlotCount) = (device, ownsDevice, network, network.Layout, slots);
        _kernels = new CudaKernels(device, _layout.IsWide);
        _activation = ActivationOf(_layout.Config.ActivationFunction);
        _cache = new CudaMemory(device, slots * _layout.SlotBytes);
        _buffers = new CudaBuffers(device, _layout);
        _step = new CudaStep(_layout);
        _outputs = new CudaOutputs(_layout, _buffers);
    }

    /// <inheritdoc/>
    public ModelShape Shape => _layout.Shape;

    /// <inheritdoc/>
    public int SlotCount { get; }

    /// <summary>Opens a device, compiles the kernels for it, and loads a model.</summary>
    /// <param name="ordinal">The device, from 0.</param>
    /// <param name="checkpoint">The model; read here, and not needed any more then.</param>
    /// <param name="dtype">Float32 or BFloat16.</param>
    /// <param name="slots">KV slots; fewer where the device's memory holds no more, at least 1.</param>
    /// <exception cref="InvalidOperationException">There is no such device: says why.</exception>
    /// <exception cref="CudaException">The device cannot be used, or its memory holds not even the weights and one slot.</exception>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read.</exception>
    internal static CudaModelRunner Open(int ordinal, Checkpoint checkpoint, ScalarType dtype, int slots)
    {
        if (!CudaDevice.TryOpen(ordinal, out CudaDevice? device, out string reason))
            throw new InvalidOperationException($"our CUDA kernels need a CUDA device; {reason}");
        CudaNetwork? network = null;
        try
        {
            foreach (string ptx in CudaKernels.Ptx)
                device!.Load(ptx);
            network = new CudaNetwork(device!, checkpoint.Config, checkpoint.Architecture, dtype, checkpoint);
            long fitting = (device!.Memory.Free - Reserve) / network.Layout.SlotBytes;
            return new CudaModelRunner(device, network, (int)Math.Clamp(fitting, 1, slots), ownsDevice: true);
        }
        catch
        {
            network?.Dispose();
            device!.Dispose();
            throw;
        }
    }

    // Bytes of a layer's slots.
    long LayerBytes => SlotCount * _layout.SlotBytes / _layout.Config.LayerCount;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The plan breaks a rule (named with the value); nothing was computed and the runner stays usable.</exception>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        StepPlanRules.Check(plan, Shape, SlotCount);
        for (int index = 0; index < plan.Copies.Count; index++)
            Copy(plan.Copies[index]);
        if (plan.Chunks.Count == 0)
            return [];
        _step.Take(plan.Chunks);
        _buffers.Take(_step);
        Embed();
        for (int layer = 0; layer < Shape.LayerCount; layer++)
        {
            Pool(layer, _buffers.Residual);
            RunBlock(layer);
        }

        PoolLast();
        Head();
        return _outputs.Finish(_step);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buffers.Dispose();
        _cache.Dispose();
        _network.Dispose();
        if (_ownsDevice)
            _device.Dispose();
    }

    static int ActivationOf(string name) => name switch
    {
        "quick_gelu" => 1,
        "gelu" => 2,
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => 3,
        "relu" => 4,
        "silu" or "swish" => 5,
        "tanh" => 6,
        _ => throw new NotSupportedException($"our CUDA kernels have no activation_function '{name}'"),
    };

    void Copy(PrefixCopy copy)
    {
        (int parts, long words) = (2 * _layout.Config.HeadCount, (long)copy.Length * _layout.HeadStride * _layout.Size / sizeof(uint));
        int blocks = (int)Math.Min(64, (words + (4 * Threads) - 1) / (4 * Threads));
        _device.Launch(
            _kernels.CopyPrefix,
            new CudaGrid(blocks, parts * Shape.LayerCount, 1, Threads),
            _cache.Address,
            (ulong)LayerBytes / sizeof(uint),
            (uint)copy.SourceSlot,
            (uint)copy.TargetSlot,
            (uint)parts,
            (ulong)_layout.PartBytes / sizeof(uint),
            (ulong)words);
    }

    void Embed() => _device.Launch(
        _kernels.Embed,
        new CudaGrid(_step.Rows, 1, 1, Threads),
        _network.TokenEmbedding.Address,
        _network.PositionEmbedding.Address,
        _buffers.Tokens,
        _buffers.Positions,
        _buffers.Residual,
        (uint)Shape.EmbeddingSize,
        (uint)_layout.Stride);

    // x += attention(norm(x)); x += mlp(norm(x)).
    void RunBlock(int layer)
    {
        CudaNetwork.Block block = _network.Blocks[layer];
        int rows = _step.Rows;
        Norm(_kernels.Norm, block.AttentionNorm, 0, rows, _buffers.Normed);
        var normed = new CudaRows(_buffers.Normed, rows, _layout.Stride);
        _kernels.Product(block.QueryKeyValue, normed, new CudaEnd(CudaEndKind.Store, _buffers.QueryKeyValue, _layout.QueryKeyValueStride));
        Attend(layer);
        var residual = new CudaEnd(CudaEndKind.Add, _buffers.Residual, _layout.Stride);
        _kernels.Product(block.AttentionOutput, new CudaRows(_buffers.Mixed, rows, _layout.MixedStride), residual);
        Norm(_kernels.Norm, block.MlpNorm, 0, rows, _buffers.Normed);
        _kernels.Product(block.MlpInner, normed, new CudaEnd(CudaEndKind.Store, _buffers.Inner, _layout.InnerStride, _activation));
        _kernels.Product(block.MlpOutput, new CudaRows(_buffers.Inner, rows, _layout.InnerStride), residual);
    }

    // Writes the rows' keys and values into their slots, then mixes the values that each row may see: [N, H · D].
    void Attend(int layer)
    {
        (int heads, int rows) = (_layout.Config.HeadCount, _step.Rows);
        ulong cache = _cache.Address + (ulong)(layer * LayerBytes);
        (uint stride, uint capacity, uint rowStride) = ((uint)_layout.HeadStride, (uint)Shape.PositionCount, (uint)_layout.QueryKeyValueStride);
        _device.Launch(_kernels.Keep, new CudaGrid(rows * 2 * heads, 1, 1, 32), _buffers.QueryKeyValue, _buffers.Slots, _buffers.Positions, cache, (uint)heads, stride, capacity, rowStride);
        _device.Launch(
            _kernels.Attend,
            new CudaGrid(heads, rows, (_step.Longest + CudaLayout.KeysOfRun - 1) / CudaLayout.KeysOfRun, Threads),
            _buffers.QueryKeyValue,
            cache,
            _buffers.Slots,
            _buffers.Positions,
            _buffers.Mixes,
            _buffers.MixSizes,
            (uint)heads,
            stride,
            capacity,
            rowStride,
            (uint)_layout.KeyLanes,
            BitConverter.SingleToUInt32Bits(ScoreScale(layer)));
        _device.Launch(_kernels.Merge, new CudaGrid(heads, rows, 1, 64), _buffers.Mixes, _buffers.MixSizes, _buffers.Positions, _buffers.Mixed, (uint)heads, stride, capacity, (uint)_layout.MixedStride);
    }

    float ScoreScale(int layer)
    {
        double scale = _layout.Config.ScaleAttentionWeights ? 1 / Math.Sqrt(_layout.Config.HeadSize) : 1;
        return (float)(_layout.Config.ScaleAttentionByInverseLayerIndex ? scale / (layer + 1) : scale);
    }

    void Norm(CudaKernel kernel, CudaMemory gain, ulong table, int rows, ulong target) => _device.Launch(
        kernel,
        new CudaGrid((rows + RowsOfBlock - 1) / RowsOfBlock, 1, 1, 32 * RowsOfBlock),
        _buffers.Residual,
        table,
        gain.Address,
        target,
        (uint)rows,
        (uint)Shape.EmbeddingSize,
        (uint)_layout.Stride,
        (uint)_layout.Stride,
        BitConverter.SingleToUInt32Bits((float)_layout.Config.LayerNormEpsilon));

    // Sums of one hidden state, which are neighbours: they are sorted by layer.
    void Pool(int layer, ulong rows)
    {
        int first = 0;
        while (first < _step.Sums.Count && _step.Sums[first].Layer < layer)
            first++;
        int count = 0;
        while (first + count < _step.Sums.Count && _step.Sums[first + count].Layer == layer)
            count++;
        if (count == 0)
            return;
        int width = Shape.EmbeddingSize;
        _device.Launch(
            _kernels.Pool,
            new CudaGrid((width + Threads - 1) / Threads, count, 1, Threads),
            rows,
            _buffers.Runs + ((ulong)first * 2 * sizeof(uint)),
            _buffers.Sums + ((ulong)first * (ulong)width * sizeof(double)),
            (uint)width,
            (uint)_layout.Stride);
    }

    void PoolLast()
    {
        if (_step.Sums.Count == 0 || _step.Sums[^1].Layer != Shape.LayerCount)
            return;
        Norm(_kernels.NormWide, _network.FinalNorm, 0, _step.Rows, _buffers.Last);
        Pool(Shape.LayerCount, _buffers.Last);
    }

    void Head()
    {
        if (_step.LogitRows == 0)
            return;
        Norm(_kernels.Norm, _network.FinalNorm, _buffers.LogitTable, _step.LogitRows, _buffers.Normed);
        _kernels.Product(_network.Head!, new CudaRows(_buffers.Normed, _step.LogitRows, _layout.Stride), new CudaEnd(CudaEndKind.Write, _buffers.Logits, _layout.LogitStride));
        if (_step.HasTargets)
        {
            var grid = new CudaGrid((_step.LogitRows + RowsOfBlock - 1) / RowsOfBlock, 1, 1, 32 * RowsOfBlock);
            _device.Launch(_kernels.Likelihood, grid, _buffers.Logits, _buffers.Targets, _buffers.Likelihoods, (uint)_step.LogitRows, (uint)Shape.LogitCount, (uint)_layout.LogitStride);
        }
    }
}
