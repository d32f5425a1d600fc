using IgptCluster.Contracts;
using Orleans.Storage;

namespace IgptCluster.Grains;

/// <summary>Reading from the cluster's store.</summary>
internal static class StoreReads
{
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    /// <summary>Reads what is stored; a store that is away is told as such, whatever its client calls it.</summary>
    /// <param name="storage">The storage.</param>
    /// <param name="name">What of the grain.</param>
    /// <param name="grain">The grain.</param>
    /// <param name="state">Where it goes.</param>
    /// <exception cref="IgptException">StoreUnavailable, DataLoss.</exception>
    internal static async Task ReadAsync<T>(this IGrainStorage storage, string name, GrainId grain, IGrainState<T> state)
    {
        try
        {
            await storage.ReadStateAsync(name, grain, state);
        }
        catch (Exception failure) when (failure is not (OrleansException or IgptException { Code: IgptErrorCode.DataLoss }))
        {
            throw new IgptException(IgptErrorCode.StoreUnavailable, $"the cluster's store does not answer, so nothing is known of {grain}: try again in a moment") { RetryAfter = Retry };
        }
    }
}
