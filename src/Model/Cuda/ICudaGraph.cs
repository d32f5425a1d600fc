namespace IgptCluster.Model.Cuda;

/// <summary>Recorded kernels that one call queues again and again: a launch costs the host more than many of a step's kernels take. Its device's thread.</summary>
internal interface ICudaGraph : IDisposable
{
    /// <summary>Queues all of them in their order; returns at once.</summary>
    /// <exception cref="CudaException">It cannot be launched, or an earlier kernel failed meanwhile.</exception>
    void Launch();
}
