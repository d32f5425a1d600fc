using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;

namespace IgptCluster.Gateway.Models;

/// <summary>Calls that any replica of a model can take: one that is lost meanwhile, or is leaving, is a reason to ask another. Any thread.</summary>
/// <param name="models">Chooses.</param>
/// <param name="time">Clock.</param>
internal sealed class ReplicaCalls(ModelDirectory models, TimeProvider time)
{
    // A silo that is killed is known to be dead a second or two later.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>Calls the replica with more room of two; another if that fails in a way that another would not. The call must be one that can be repeated.</summary>
    /// <param name="model">Model name.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <exception cref="IgptException">ModelNotFound, NoReplica; what the last replica said.</exception>
    public async Task<T> CallAsync<T>(string model, Func<ReplicaId, Task<T>> call, CancellationToken cancellationToken)
    {
        for (long since = time.GetTimestamp(); ;)
        {
            ReplicaId replica = await models.ChooseReplicaAsync(model);
            try
            {
                return await call(replica);
            }
            catch (Exception lost) when (IsLoss(lost) && !cancellationToken.IsCancellationRequested && time.GetElapsedTime(since) < Limit)
            {
                await Task.Delay(Interval, time, cancellationToken);
            }
        }
    }

    static bool IsLoss(Exception failure) => failure is IgptException { Code: IgptErrorCode.NoReplica or IgptErrorCode.Draining } || (Passing.Is(failure) && failure is not TimeoutException);
}
