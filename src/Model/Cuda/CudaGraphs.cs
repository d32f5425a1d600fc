using System.Numerics;
using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// One graph for each bucket of decoding rows, those of guesses included, 1, 2, 4 … 256, recorded when it is first needed and again when the buffers have moved. A step of fewer rows is
/// padded to its bucket: padding writes to a slot of its own. Its device's thread.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="buffers">What the recorded kernels read and write.</param>
internal sealed class CudaGraphs(ICudaDevice device, CudaBuffers buffers) : IDisposable
{
    /// <summary>Rows of the largest bucket; larger steps are launched kernel by kernel, which takes less time than they do.</summary>
    internal const int MostRows = 256;

    readonly ICudaGraph?[] _graphs = new ICudaGraph?[BitOperations.Log2(MostRows) + 1];
    int _moves;

    /// <summary>Rows of the bucket that such a step is padded to.</summary>
    /// <param name="chunks">The step's chunks.</param>
    /// <returns>0 where it runs without a graph: it reads prompts, scores or sums, or has too many rows.</returns>
    internal static int BucketOf(IReadOnlyList<SequenceChunk> chunks)
    {
        int rows = 0;
        for (int index = 0; index < chunks.Count; index++)
        {
            SequenceChunk chunk = chunks[index];
            rows += chunk.Tokens.Length;
            if (rows > MostRows || chunk.LogitRows != chunk.Tokens.Length || !chunk.Targets.IsEmpty || chunk.PooledLayers.Count > 0)
                return 0;
        }

        return (int)BitOperations.RoundUpToPowerOf2((uint)rows);
    }

    /// <summary>Queues a step by its bucket's graph.</summary>
    /// <param name="bucket">Its rows.</param>
    /// <param name="queue">Queues the step kernel by kernel; what it queues must be a function of the bucket alone.</param>
    internal void Run(int bucket, Action queue)
    {
        if (_moves != buffers.Moves)
            Clear();
        ref ICudaGraph? graph = ref _graphs[BitOperations.Log2((uint)bucket)];
        graph ??= device.Capture(queue);
        graph.Launch();
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();

    void Clear()
    {
        foreach (ICudaGraph? graph in _graphs)
            graph?.Dispose();
        Array.Clear(_graphs);
        _moves = buffers.Moves;
    }
}
