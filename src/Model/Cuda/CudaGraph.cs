using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>Recorded work that one call launches again and again. Its device's thread.</summary>
internal sealed class CudaGraph : IDisposable
{
    readonly nint _executable;

    /// <summary>Makes a captured graph executable, and destroys the captured one.</summary>
    internal CudaGraph(nint graph)
    {
        int result = cuGraphInstantiateWithFlags(out _executable, graph, 0);
        _ = cuGraphDestroy(graph);
        Check(result, nameof(cuGraphInstantiateWithFlags));
    }

    /// <summary>Queues all of it; returns at once.</summary>
    public void Launch(CudaStream stream) => Check(cuGraphLaunch(_executable, stream.Handle), nameof(cuGraphLaunch));

    /// <inheritdoc/>
    public void Dispose() => _ = cuGraphExecDestroy(_executable);
}
