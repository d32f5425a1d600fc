namespace IgptCluster.Model.Cuda;

/// <summary>A call of the CUDA driver failed.</summary>
/// <param name="message">The function, the error's name and CUDA's description.</param>
/// <param name="result">The driver's number of the error, <c>CUresult</c>.</param>
internal sealed class CudaException(string message, int result) : Exception(message)
{
    const int OutOfMemory = 2; // CUDA_ERROR_OUT_OF_MEMORY

    /// <summary>The driver's number of the error.</summary>
    public int Result { get; } = result;

    /// <summary>Whether the device's memory did not hold what was asked for; other errors stay, and the device is of no more use to this process.</summary>
    public bool IsOutOfMemory => Result == OutOfMemory;
}
