namespace IgptCluster.Model.Cuda;

/// <summary>Queues the network's kernels over a step's rows. Its device's thread.</summary>
/// <remarks>Shapes in comments: N rows of the step, E n_embd, F inner width, H heads, D numbers of a head with padding.</remarks>
internal sealed class CudaForward
{
    const int Threads = 128;
    const int RowsOfBlock = 4; // rows.cu: a warp a row

    readonly ICudaDevice _device;
    readonly CudaNetwork _network;
    readonly CudaLayout _layout;
    readonly CudaKernels _kernels;
    readonly CudaSlots _slots;
    readonly CudaBuffers _buffers;
    readonly int _activation;

    internal CudaForward(ICudaDevice device, CudaNetwork network, CudaSlots slots, CudaBuffers buffers)
    {
        (_device, _network, _layout, _slots, _buffers) = (device, network, network.Layout, slots, buffers);
        _kernels = new CudaKernels(device, _layout);
        _activation = ActivationOf(_layout.Config.ActivationFunction);
    }

    int Width => _layout.Config.EmbeddingSize;

    int LayerCount => _layout.Config.LayerCount;

    /// <summary>Queues all of a step.</summary>
    /// <param name="step">The step, whose tables are on the device.</param>
    internal void Run(CudaStep step)
    {
        _device.Launch(
            _kernels.Embed,
            new CudaGrid(step.Rows, 1, 1, Threads),
            _network.TokenEmbedding.Address,
            _network.PositionEmbedding.Address,
            _buffers.Tokens,
            _buffers.Positions,
            _buffers.Residual,
            (uint)Width,
            (uint)_layout.Stride);
        for (int layer = 0; layer < LayerCount; layer++)
        {
            Pool(step, layer, _buffers.Residual);
            RunBlock(step, layer);
        }

        PoolLast(step);
        Head(step);
    }

    /// <summary>Whether there is a kernel for an activation, by Hugging Face's name.</summary>
    internal static bool Knows(string activation) => ActivationOf(activation) > 0;

    // The number by which numbers.h knows it.
    static int ActivationOf(string name) => name switch
    {
        "quick_gelu" => 1,
        "gelu" => 2,
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => 3,
        "relu" => 4,
        "silu" or "swish" => 5,
        "tanh" => 6,
        _ => 0,
    };

    // x += attention(norm(x)); x += mlp(norm(x)).
    void RunBlock(CudaStep step, int layer)
    {
        CudaNetwork.Block block = _network.Blocks[layer];
        int rows = step.Rows;
        Norm(_kernels.Norm, block.AttentionNorm, 0, rows, _buffers.Normed);
        var normed = new CudaRows(_buffers.Normed, rows, _layout.Stride);
        _kernels.Product(block.QueryKeyValue, normed, new CudaEnd(CudaEndKind.Store, _buffers.QueryKeyValue, _layout.QueryKeyValueStride));
        Attend(step, layer);
        var residual = new CudaEnd(CudaEndKind.Add, _buffers.Residual, _layout.Stride);
        _kernels.Product(block.AttentionOutput, new CudaRows(_buffers.Mixed, rows, _layout.MixedStride), residual);
        Norm(_kernels.Norm, block.MlpNorm, 0, rows, _buffers.Normed);
        _kernels.Product(block.MlpInner, normed, new CudaEnd(CudaEndKind.Store, _buffers.Inner, _layout.InnerStride, _activation));
        _kernels.Product(block.MlpOutput, new CudaRows(_buffers.Inner, rows, _layout.InnerStride), residual);
    }

    // Writes the rows' keys and values into their slots, then mixes the values that each row may see: [N, H · D].
    void Attend(CudaStep step, int layer)
    {
        (int heads, int rows) = (_layout.Config.HeadCount, step.Rows);
        ulong cache = _slots.OfLayer(layer);
        (uint stride, uint capacity, uint rowStride) = ((uint)_layout.HeadStride, (uint)_layout.Capacity, (uint)_layout.QueryKeyValueStride);
        uint scale = BitConverter.SingleToUInt32Bits(ScoreScale(layer));
        _device.Launch(_kernels.Keep, new CudaGrid(rows * 2 * heads, 1, 1, 32), _buffers.QueryKeyValue, _buffers.Slots, _buffers.Positions, cache, (uint)heads, stride, capacity, rowStride);
        var grid = new CudaGrid(heads, step.Tiles, (step.Longest + CudaLayout.KeysOfRun - 1) / CudaLayout.KeysOfRun, Threads);
        (ulong queries, ulong slots, ulong positions, ulong mixes, ulong sizes) = (_buffers.QueryKeyValue, _buffers.Slots, _buffers.Positions, _buffers.Mixes, _buffers.MixSizes);
        if (_layout.IsWide)
            _device.Launch(_kernels.Attend, grid, queries, cache, slots, positions, mixes, sizes, (uint)heads, stride, capacity, rowStride, (uint)_layout.KeyLanes, scale);
        else
            _device.Launch(_kernels.Attend, grid, queries, cache, _buffers.Tiles, slots, positions, mixes, sizes, (uint)heads, stride, capacity, rowStride, scale);
        _device.Launch(_kernels.Merge, new CudaGrid(heads, rows, 1, 64), mixes, sizes, positions, _buffers.Mixed, (uint)heads, stride, capacity, (uint)_layout.MixedStride);
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
        (uint)Width,
        (uint)_layout.Stride,
        (uint)_layout.Stride,
        BitConverter.SingleToUInt32Bits((float)_layout.Config.LayerNormEpsilon));

    // Sums of one hidden state, which are neighbours: they are sorted by layer.
    void Pool(CudaStep step, int layer, ulong rows)
    {
        int first = 0;
        while (first < step.Sums.Count && step.Sums[first].Layer < layer)
            first++;
        int count = 0;
        while (first + count < step.Sums.Count && step.Sums[first + count].Layer == layer)
            count++;
        if (count == 0)
            return;
        _device.Launch(
            _kernels.Pool,
            new CudaGrid((Width + Threads - 1) / Threads, count, 1, Threads),
            rows,
            _buffers.Runs + ((ulong)first * 2 * sizeof(uint)),
            _buffers.Sums + ((ulong)first * (ulong)Width * sizeof(double)),
            (uint)Width,
            (uint)_layout.Stride);
    }

    void PoolLast(CudaStep step)
    {
        if (step.Sums.Count == 0 || step.Sums[^1].Layer != LayerCount)
            return;
        Norm(_kernels.NormWide, _network.FinalNorm, 0, step.Rows, _buffers.Last);
        Pool(step, LayerCount, _buffers.Last);
    }

    void Head(CudaStep step)
    {
        if (step.LogitRows == 0)
            return;
        Norm(_kernels.Norm, _network.FinalNorm, _buffers.LogitTable, step.LogitRows, _buffers.Normed);
        _kernels.Product(_network.Head!, new CudaRows(_buffers.Normed, step.LogitRows, _layout.Stride), new CudaEnd(CudaEndKind.Write, _buffers.Logits, _layout.LogitStride));
        if (step.Draws > 0)
            _device.Launch(_kernels.Draw, new CudaGrid(step.Draws, 1, 1, 32), _buffers.Logits, _buffers.Draws, _buffers.Drawn, (uint)_layout.Shape.ColourCount, (uint)_layout.LogitStride);
        if (step.HasTargets)
        {
            var grid = new CudaGrid((step.LogitRows + RowsOfBlock - 1) / RowsOfBlock, 1, 1, 32 * RowsOfBlock);
            _device.Launch(_kernels.Likelihood, grid, _buffers.Logits, _buffers.Targets, _buffers.Likelihoods, (uint)step.LogitRows, (uint)_layout.Shape.LogitCount, (uint)_layout.LogitStride);
        }
    }
}
