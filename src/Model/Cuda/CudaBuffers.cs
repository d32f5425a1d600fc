namespace IgptCluster.Model.Cuda;

/// <summary>Device memory that a step's numbers go through; grows to the largest step and is kept. Its device's thread.</summary>
internal sealed class CudaBuffers(ICudaDevice device, CudaLayout layout) : IDisposable
{
    readonly Dictionary<string, CudaMemory> _owned = [];
    int _rows;
    int _logitRows;

    /// <summary>uint32 [N].</summary>
    internal ulong Tokens => Table;

    /// <summary>uint32 [N].</summary>
    internal ulong Positions => Table + (4 * (ulong)_rows);

    /// <summary>uint32 [N].</summary>
    internal ulong Slots => Table + (8 * (ulong)_rows);

    /// <summary>uint32 [logit rows].</summary>
    internal ulong LogitTable => Table + (12 * (ulong)_rows);

    /// <summary>uint32 [logit rows].</summary>
    internal ulong Targets => LogitTable + (4 * (ulong)_logitRows);

    /// <summary>uint32 [sums, 2].</summary>
    internal ulong Runs => LogitTable + (8 * (ulong)_logitRows);

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

    /// <summary>Makes room for a step and uploads its tables.</summary>
    internal void Take(CudaStep step)
    {
        (long rows, long size) = (step.Rows, layout.Size);
        long runs = (long)layout.Config.HeadCount * ((layout.Config.PositionCount + CudaLayout.KeysOfRun - 1) / CudaLayout.KeysOfRun);
        (_rows, _logitRows) = (step.Rows, step.LogitRows);
        Table = Reserve(nameof(Table), step.Table.Length * sizeof(uint));
        Residual = Reserve(nameof(Residual), rows * layout.Stride * sizeof(float));
        Normed = Reserve(nameof(Normed), rows * layout.Stride * size);
        QueryKeyValue = Reserve(nameof(QueryKeyValue), rows * layout.QueryKeyValueStride * size);
        Mixed = Reserve(nameof(Mixed), rows * layout.MixedStride * size);
        Inner = Reserve(nameof(Inner), rows * layout.InnerStride * size);
        Mixes = Reserve(nameof(Mixes), rows * runs * layout.HeadStride * sizeof(float));
        MixSizes = Reserve(nameof(MixSizes), rows * runs * 2 * sizeof(float));
        Logits = Reserve(nameof(Logits), (long)step.LogitRows * layout.LogitStride * sizeof(float));
        Likelihoods = Reserve(nameof(Likelihoods), step.HasTargets ? (long)step.LogitRows * 2 * sizeof(float) : 0);
        Sums = Reserve(nameof(Sums), step.Before.Length * sizeof(double));
        Last = Reserve(nameof(Last), step.Sums.Count > 0 ? rows * layout.Stride * sizeof(float) : 0);
        _owned[nameof(Table)].Upload(step.Table);
        if (step.Sums.Count > 0)
            _owned[nameof(Sums)].Upload(step.Before);
    }

    internal void DownloadLogits(Span<float> target) => _owned[nameof(Logits)].Download(target);

    internal void DownloadLikelihoods(Span<float> target) => _owned[nameof(Likelihoods)].Download(target);

    internal void DownloadSums(Span<double> target) => _owned[nameof(Sums)].Download(target);

    public void Dispose()
    {
        foreach (CudaMemory memory in _owned.Values)
            memory.Dispose();
    }

    ulong Reserve(string name, long bytes)
    {
        CudaMemory? memory = _owned.GetValueOrDefault(name);
        if (memory is null || memory.Bytes < bytes)
        {
            memory?.Dispose();
            _owned.Remove(name);
            _owned[name] = memory = new CudaMemory(device, Math.Max(bytes, 16));
        }

        return memory.Address;
    }
}
