namespace IgptCluster.Model.Cuda;

/// <summary>Device memory that a step's numbers go through; grows to the largest step and is kept. Its device's thread.</summary>
internal sealed class CudaBuffers(ICudaDevice device, CudaLayout layout) : IDisposable
{
    readonly Dictionary<string, CudaMemory> _owned = [];
    int _rows;
    int _logitRows;
    int _logitsAt;
    int _drawsAt;

    /// <summary>uint32 [N].</summary>
    internal ulong Tokens => Table;

    /// <summary>uint32 [N].</summary>
    internal ulong Positions => Table + (4 * (ulong)_rows);

    /// <summary>uint32 [N].</summary>
    internal ulong Slots => Table + (8 * (ulong)_rows);

    /// <summary>uint32 [tiles, 2].</summary>
    internal ulong Tiles => Table + (12 * (ulong)_rows);

    /// <summary>uint32 [logit rows].</summary>
    internal ulong LogitTable => Table + (4 * (ulong)_logitsAt);

    /// <summary>uint32 [logit rows].</summary>
    internal ulong Targets => LogitTable + (4 * (ulong)_logitRows);

    /// <summary>uint32 [sums, 2].</summary>
    internal ulong Runs => LogitTable + (8 * (ulong)_logitRows);

    /// <summary>uint32 [draws, <see cref="CudaStep.DrawWords"/>].</summary>
    internal ulong Draws => Table + (4 * (ulong)_drawsAt);

    /// <summary>int32 [draws]: the colours, −1 where logits are not finite.</summary>
    internal ulong Drawn { get; private set; }

    /// <summary>float64 [sums, E].</summary>
    internal ulong Sums { get; private set; }

    /// <summary>float32 [N, stride].</summary>
    internal ulong Residual { get; private set; }

    /// <summary>[N, stride].</summary>
    internal ulong Normed { get; private set; }

    /// <summary>[N, 3 · H · D].</summary>
    internal ulong QueryKeyValue { get; private set; }

    /// <summary>[N, H · D].</summary>
    internal ulong Mixed { get; private set; }

    /// <summary>[N, F].</summary>
    internal ulong Inner { get; private set; }

    /// <summary>float32 [N, H, runs, D].</summary>
    internal ulong Mixes { get; private set; }

    /// <summary>float32 [N, H, runs, 2].</summary>
    internal ulong MixSizes { get; private set; }

    /// <summary>float32 [N, stride]: the last hidden state, where it is summed.</summary>
    internal ulong Last { get; private set; }

    /// <summary>float32 [logit rows, padded logits].</summary>
    internal ulong Logits { get; private set; }

    /// <summary>float32 [logit rows, 2].</summary>
    internal ulong Likelihoods { get; private set; }

    ulong Table { get; set; }

    /// <summary>How often any of them has moved to make room.</summary>
    internal int Moves { get; private set; }

    /// <summary>Makes room for steps of so many decoding rows, so that nothing moves for them later.</summary>
    internal void Reserve(int rows)
    {
        Table = Place(nameof(Table), (7L + CudaStep.DrawWords) * rows * sizeof(uint));
        Drawn = Place(nameof(Drawn), (long)rows * sizeof(uint));
        Logits = Place(nameof(Logits), (long)rows * layout.LogitStride * sizeof(float));
        PlaceRows(rows);
    }

    /// <summary>Makes room for a step and uploads its tables.</summary>
    internal void Take(CudaStep step)
    {
        (_rows, _logitRows, _logitsAt, _drawsAt) = (step.Rows, step.LogitRows, step.LogitsAt, step.DrawsAt);
        Table = Place(nameof(Table), step.Table.Length * sizeof(uint));
        PlaceRows(step.Rows);
        Logits = Place(nameof(Logits), (long)step.LogitRows * layout.LogitStride * sizeof(float));
        Drawn = Place(nameof(Drawn), (long)step.Draws * sizeof(uint));
        Likelihoods = Place(nameof(Likelihoods), step.HasTargets ? (long)step.LogitRows * 2 * sizeof(float) : 0);
        Sums = Place(nameof(Sums), step.Before.Length * sizeof(double));
        Last = Place(nameof(Last), step.Sums.Count > 0 ? (long)step.Rows * layout.Stride * sizeof(float) : 0);
        _owned[nameof(Table)].Upload(step.Table);
        if (step.Sums.Count > 0)
            _owned[nameof(Sums)].Upload(step.Before);
    }

    internal void DownloadLogits(Span<float> target) => _owned[nameof(Logits)].Download(target);

    internal void DownloadDrawn(Span<int> target) => _owned[nameof(Drawn)].Download(target);

    internal void DownloadLikelihoods(Span<float> target) => _owned[nameof(Likelihoods)].Download(target);

    internal void DownloadSums(Span<double> target) => _owned[nameof(Sums)].Download(target);

    public void Dispose()
    {
        foreach (CudaMemory memory in _owned.Values)
            memory.Dispose();
    }

    void PlaceRows(long rows)
    {
        long size = layout.Size;
        long runs = (long)layout.Config.HeadCount * ((layout.Capacity + CudaLayout.KeysOfRun - 1) / CudaLayout.KeysOfRun);
        Residual = Place(nameof(Residual), rows * layout.Stride * sizeof(float));
        Normed = Place(nameof(Normed), rows * layout.Stride * size);
        QueryKeyValue = Place(nameof(QueryKeyValue), rows * layout.QueryKeyValueStride * size);
        Mixed = Place(nameof(Mixed), rows * layout.MixedStride * size);
        Inner = Place(nameof(Inner), rows * layout.InnerStride * size);
        Mixes = Place(nameof(Mixes), rows * runs * layout.HeadStride * sizeof(float));
        MixSizes = Place(nameof(MixSizes), rows * runs * 2 * sizeof(float));
    }

    ulong Place(string name, long bytes)
    {
        CudaMemory? memory = _owned.GetValueOrDefault(name);
        if (memory is null || memory.Bytes < bytes)
        {
            memory?.Dispose();
            _owned.Remove(name);
            _owned[name] = memory = new CudaMemory(device, Math.Max(bytes, 16));
            Moves++;
        }

        return memory.Address;
    }
}
