using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Cuda;

/// <summary>Brings back what a step's chunks asked for. Host memory, reused by every step.</summary>
internal sealed class CudaOutputs(CudaLayout layout, CudaBuffers buffers)
{
    float[] _logits = [];
    int[] _drawn = [];
    float[] _likelihoods = [];
    float[] _logProbabilities = [];
    double[] _sums = [];
    double[] _pooled = [];
    ChunkOutput[] _outputs = [];

    /// <summary>Waits for the step and gives its outputs, valid until the next one.</summary>
    internal IReadOnlyList<ChunkOutput> Finish(CudaStep step)
    {
        int width = layout.Config.EmbeddingSize;
        int rows = step.AskedRows; // padding's logits stay
        Grow(ref _logits, step.WantsLogits ? rows * layout.LogitStride : 0);
        Grow(ref _drawn, step.Draws);
        if (step.Draws > 0)
            buffers.DownloadDrawn(_drawn.AsSpan(0, step.Draws));
        if (step.WantsLogits)
        {
            buffers.DownloadLogits(_logits.AsSpan(0, rows * layout.LogitStride));
            CloseUp(rows);
        }

        if (step.HasTargets)
        {
            Grow(ref _likelihoods, 2 * step.LogitRows);
            Grow(ref _logProbabilities, step.LogitRows);
            buffers.DownloadLikelihoods(_likelihoods.AsSpan(0, 2 * step.LogitRows));
            for (int row = 0; row < step.LogitRows; row++)
                _logProbabilities[row] = (float)(_likelihoods[2 * row] - Math.Log(_likelihoods[(2 * row) + 1]));
        }

        Grow(ref _sums, step.Sums.Count * width);
        Grow(ref _pooled, step.Sums.Count * width);
        if (step.Sums.Count > 0)
            buffers.DownloadSums(_sums.AsSpan(0, step.Sums.Count * width));
        return Outputs(step, width);
    }

    ChunkOutput[] Outputs(CudaStep step, int width)
    {
        if (_outputs.Length != step.Chunks.Count)
            _outputs = new ChunkOutput[step.Chunks.Count];
        (int row, int sum, int draw) = (0, 0, 0);
        for (int index = 0; index < _outputs.Length; index++)
        {
            SequenceChunk chunk = step.Chunks[index];
            (int rows, int sums) = (chunk.LogitRows, chunk.PooledLayers.Count);
            bool isDrawn = step.IsDrawn(chunk), hasLogits = rows > 0 && chunk.Targets.IsEmpty && !isDrawn;
            _outputs[index] = new ChunkOutput
            {
                Logits = hasLogits ? _logits.AsMemory(row * layout.Shape.LogitCount, rows * layout.Shape.LogitCount) : default,
                Drawn = isDrawn ? _drawn.AsMemory(draw, rows) : default,
                LogProbabilities = chunk.Targets.IsEmpty ? default : _logProbabilities.AsMemory(row, chunk.Targets.Length),
                PooledSums = _pooled.AsMemory(sum * width, sums * width),
            };
            (row, sum, draw) = (row + rows, sum + sums, draw + (isDrawn || step.IsPadded ? rows : 0));
        }

        Order(step, width);
        return _outputs;
    }

    // Logits of a row come with what fills it up to the stride; given back they lie one behind the other.
    void CloseUp(int rows)
    {
        int count = layout.Shape.LogitCount;
        for (int row = 1; row < rows && count < layout.LogitStride; row++)
            _logits.AsSpan(row * layout.LogitStride, count).CopyTo(_logits.AsSpan(row * count));
    }

    // Sums came by layer; each chunk has its own together.
    void Order(CudaStep step, int width)
    {
        for (int from = 0; from < step.Sums.Count; from++)
        {
            (_, int index, int wanted) = step.Sums[from];
            for (int before = 0; before < index; before++)
                wanted += step.Chunks[before].PooledLayers.Count;
            _sums.AsSpan(from * width, width).CopyTo(_pooled.AsSpan(wanted * width, width));
        }
    }

    static void Grow<T>(ref T[] buffer, int count)
    {
        if (buffer.Length < count)
            buffer = new T[count];
    }
}
