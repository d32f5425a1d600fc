namespace IgptCluster.Gateway.Errors;

/// <summary>Failures of the cluster's own parts that the same call may not meet again: a silo that is lost or slow, a store that is away.</summary>
internal static class Passing
{
    /// <summary>Whether a failure that is none of ours passes.</summary>
    /// <param name="failure">What a grain's call ended with.</param>
    public static bool Is(Exception failure) =>

        // Looking for a grain's place among silos of which one has just been lost ends in its own cancellation. What the store's client throws inside Orleans comes as itself from this
        // process, and from another as an exception without a codec.
        failure is OrleansException or TimeoutException or OperationCanceledException
        || failure.GetType().Namespace is { } space && (space.StartsWith("Orleans", StringComparison.Ordinal) || space.StartsWith("StackExchange.Redis", StringComparison.Ordinal));
}
