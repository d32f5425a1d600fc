namespace IgptCluster.Model.Cuda;

/// <summary>A call of the CUDA driver failed.</summary>
/// <param name="message">The function, the error's name and CUDA's description.</param>
/// <param name="result">The driver's number of the error, <c>CUresult</c>.</param>
internal sealed class CudaException(string message, int result) : Exception(message)
{
    /// <summary>The driver's number of the error.</summary>
    public int Result { get; } = result;
}
