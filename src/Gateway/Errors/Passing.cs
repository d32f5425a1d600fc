namespace IgptCluster.Gateway.Errors;

/// <summary>Failures of the cluster's own parts that the same call may not meet again: a silo that is lost or slow, a store that is away.</summary>
internal static class Passing
{
    // A process that is killed is known to be dead half a second later, and what it held has a place again soon after.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Makes a call that only looks again until it meets no passing failure: who has just lost one gateway must not be told by the next to wait for as long as a client waits between two attempts.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="time">Clock.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    public static async Task<T> OutlastAsync<T>(Func<Task<T>> call, TimeProvider time, CancellationToken cancellationToken = default)
    {
        for (long since = time.GetTimestamp(); ;)
        {
            try
            {
                return await call();
            }
            catch (Exception failure) when (Is(failure) && !cancellationToken.IsCancellationRequested && time.GetElapsedTime(since) < Limit)
            {
                await Task.Delay(Interval, time, cancellationToken);
            }
        }
    }

    /// <summary>Whether a failure that is none of ours passes.</summary>
    /// <param name="failure">What a grain's call ended with.</param>
    public static bool Is(Exception failure) =>

        // Looking for a grain's place among silos of which one has just been lost ends in its own cancellation. What the store's client throws inside Orleans comes as itself from this
        // process, and from another as an exception without a codec.
        failure is OrleansException or TimeoutException or OperationCanceledException
        || failure.GetType().Namespace is { } space && (space.StartsWith("Orleans", StringComparison.Ordinal) || space.StartsWith("StackExchange.Redis", StringComparison.Ordinal));
}
