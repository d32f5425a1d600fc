using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>A graph of the CUDA driver. Its device's thread.</summary>
internal sealed class CudaGraph : ICudaGraph
{
    readonly nint _executable;
    readonly CudaStream _stream;

    /// <summary>Makes a captured graph executable, and destroys the captured one.</summary>
    /// <param name="graph">The driver's handle of the captured one.</param>
    /// <param name="stream">Where it is launched; must outlive it.</param>
    internal CudaGraph(nint graph, CudaStream stream)
    {
        _stream = stream;
        int result = cuGraphInstantiateWithFlags(out _executable, graph, 0);
        _ = cuGraphDestroy(graph);
        Check(result, nameof(cuGraphInstantiateWithFlags));
    }

    /// <inheritdoc/>
    public void Launch() => Check(cuGraphLaunch(_executable, _stream.Handle), nameof(cuGraphLaunch));

    /// <inheritdoc/>
    public void Dispose() => _ = cuGraphExecDestroy(_executable);
}
