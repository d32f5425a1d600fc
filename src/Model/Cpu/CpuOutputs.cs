using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Cpu;

/// <summary>What a step's chunks asked for: sums of hidden states on the way, logits and log-probabilities at the end. One caller at a time.</summary>
internal sealed unsafe class CpuOutputs(CpuNetwork network) : IDisposable
{
    StepRows _rows = null!;
    AlignedMemory _logitRows = new(0); // float32 [rows, padded logits]
    ChunkOutput[] _outputs = [];
    float[] _logits = [];
    float[] _logProbabilities = [];
    double[] _pooled = [];

    /// <summary>Rows whose logits are wanted, over all chunks.</summary>
    internal int LogitRowCount { get; private set; }

    int LogitStride => network.Head?.PaddedOutputs ?? 0;

    /// <summary>Counts what is wanted.</summary>
    internal void Begin(StepRows rows)
    {
        _rows = rows;
        (int logitRows, int logits, int targets, int pooled) = (0, 0, 0, 0);
        for (int index = 0; index < rows.Chunks.Count; index++)
        {
            SequenceChunk chunk = rows.Chunks[index];
            logitRows += chunk.LogitRows;
            logits += LogitsOf(chunk);
            targets += chunk.Targets.Length;
            pooled += chunk.PooledLayers.Count * network.Shape.EmbeddingSize;
        }

        LogitRowCount = logitRows;
        Grow(ref _logits, logits);
        Grow(ref _logProbabilities, targets);
        Grow(ref _pooled, pooled);
        long bytes = (long)logitRows * LogitStride * sizeof(float);
        if (_logitRows.Length < bytes)
        {
            _logitRows.Dispose();
            _logitRows = new AlignedMemory(bytes);
        }
    }

    /// <summary>Adds up a hidden state over the positions of each chunk that wants it.</summary>
    internal void Pool(int layer)
    {
        int at = 0;
        for (int index = 0; index < _rows.Chunks.Count; index++)
        {
            SequenceChunk chunk = _rows.Chunks[index];
            for (int wanted = 0; wanted < chunk.PooledLayers.Count; wanted++)
            {
                if (chunk.PooledLayers[wanted] == layer)
                    Sum(index, wanted, _pooled.AsSpan(at, network.Shape.EmbeddingSize));
                at += network.Shape.EmbeddingSize;
            }
        }
    }

    /// <summary>Norms the rows whose logits are wanted, and all rows of chunks that want the last hidden state.</summary>
    /// <param name="scratch">Room for a row.</param>
    internal void NormLast(float* scratch)
    {
        int next = 0;
        for (int index = 0; index < _rows.Chunks.Count; index++)
        {
            SequenceChunk chunk = _rows.Chunks[index];
            (int first, int end) = (_rows.Offset(index), _rows.Offset(index) + chunk.Tokens.Length);
            bool isPooled = WantsLast(chunk);
            for (int row = isPooled ? first : end - chunk.LogitRows; row < end; row++)
            {
                RowMath.Norm(_rows.ResidualRow(row), network.FinalNorm.Floats, scratch, network.Shape.EmbeddingSize, (float)network.Config.LayerNormEpsilon);
                if (row >= end - chunk.LogitRows)
                    _rows.Last.Write(next++, scratch);
                if (isPooled)
                    new Span<float>(scratch, _rows.Stride).CopyTo(new Span<float>(_rows.ResidualRow(row), _rows.Stride));
            }
        }

        Pool(network.Shape.LayerCount);
    }

    /// <summary>Where the head's product goes.</summary>
    internal StoreEpilogue LogitEpilogue() => new(_logitRows.Floats, LogitStride);

    /// <summary>The outputs, valid until the next step.</summary>
    internal IReadOnlyList<ChunkOutput> Finish()
    {
        if (_outputs.Length != _rows.Chunks.Count)
            _outputs = new ChunkOutput[_rows.Chunks.Count];
        (int row, int logits, int targets, int pooled) = (0, 0, 0, 0);
        for (int index = 0; index < _outputs.Length; index++)
        {
            SequenceChunk chunk = _rows.Chunks[index];
            (int wantedLogits, int wantedSums) = (LogitsOf(chunk), chunk.PooledLayers.Count * network.Shape.EmbeddingSize);
            for (int target = 0; target < chunk.Targets.Length; target++)
                _logProbabilities[targets + target] = (float)(Logits(row + target)[chunk.Targets.Span[target]] - RowMath.LogSumExp(Logits(row + target)));
            for (int wanted = 0; wanted < chunk.LogitRows && wantedLogits > 0; wanted++)
                Logits(row + wanted).CopyTo(_logits.AsSpan(logits + (wanted * network.Shape.LogitCount)));
            _outputs[index] = new ChunkOutput
            {
                Logits = _logits.AsMemory(logits, wantedLogits),
                LogProbabilities = _logProbabilities.AsMemory(targets, chunk.Targets.Length),
                PooledSums = _pooled.AsMemory(pooled, wantedSums),
            };
            (row, logits, targets, pooled) = (row + chunk.LogitRows, logits + wantedLogits, targets + chunk.Targets.Length, pooled + wantedSums);
        }

        return _outputs;
    }

    /// <inheritdoc/>
    public void Dispose() => _logitRows.Dispose();

    // Numbers that are given back.
    int LogitsOf(SequenceChunk chunk) => chunk.Targets.IsEmpty ? chunk.LogitRows * network.Shape.LogitCount : 0;

    bool WantsLast(SequenceChunk chunk) => chunk.PooledLayers.Count > 0 && chunk.PooledLayers[^1] == network.Shape.LayerCount;

    ReadOnlySpan<float> Logits(int row) => new(_logitRows.Floats + ((long)row * LogitStride), network.Shape.LogitCount);

    // Position by position, behind what was summed before.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Sum(int index, int wanted, Span<double> to)
    {
        SequenceChunk chunk = _rows.Chunks[index];
        if (chunk.PooledBefore.IsEmpty)
            to.Clear();
        else
            chunk.PooledBefore.Span.Slice(wanted * to.Length, to.Length).CopyTo(to);
        int whole = to.Length - (to.Length % Vector256<double>.Count);
        for (int row = 0; row < chunk.Tokens.Length; row++)
        {
            float* values = _rows.ResidualRow(_rows.Offset(index) + row);
            for (int at = 0; at < whole; at += Vector256<double>.Count)
            {
                (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Load(values + at));
                (Vector256.Create<double>(to[at..]) + Vector256.Create(lower, upper)).CopyTo(to[at..]);
            }

            for (int at = whole; at < to.Length; at++)
                to[at] += values[at];
        }
    }

    static void Grow<T>(ref T[] buffer, int count)
    {
        if (buffer.Length < count)
            buffer = new T[count];
    }
}
