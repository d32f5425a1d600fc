using static IgptCluster.Model.Cuda.CudaDriver;

namespace IgptCluster.Model.Cuda;

/// <summary>The CUDA devices of this machine, as its driver offers them (<c>CUDA_VISIBLE_DEVICES</c> counts). Any thread.</summary>
public static class CudaDevices
{
    /// <summary>Looks for devices.</summary>
    /// <param name="reason">Why there are none; empty where there are.</param>
    /// <returns>How many there are.</returns>
    public static int Count(out string reason)
    {
        try
        {
            int result = cuInit(0);
            int count = 0;
            if (result == 0)
                result = cuDeviceGetCount(out count);
            reason = result != 0 ? $"the CUDA driver answers {Describe(result)}" : count == 0 ? "the CUDA driver offers none" : "";
            return count;
        }
        catch (DllNotFoundException)
        {
            reason = "there is no CUDA driver: libcuda.so.1 is not found";
            return 0;
        }
        catch (EntryPointNotFoundException failure)
        {
            reason = $"the CUDA driver is too old: {failure.Message}";
            return 0;
        }
    }
}
