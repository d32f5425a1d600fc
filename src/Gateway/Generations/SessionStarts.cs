using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Models;

namespace IgptCluster.Gateway.Generations;

/// <summary>
/// Starts sessions for one call, all or none: where the call fails, what it has started is taken back, so that nothing of it uses a device or appears later. What another call of the same
/// operation has joined meanwhile, through another gateway perhaps, stays. Any thread.
/// </summary>
internal sealed partial class SessionStarts(IGrainFactory grains, ModelDirectory models, ReplicaCalls replicas, TimeProvider time, ILogger<SessionStarts> logger)
{
    // How long a failed call waits for its sessions to be taken back before it is answered; silos that are lost, and a store that is away, are waited for in the background.
    static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);
    static readonly TimeSpan WithdrawLimit = TimeSpan.FromMinutes(2);
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>Starts the samples of one generation on one replica, which then share its prompt's prefix.</summary>
    /// <param name="ids">Their sessions.</param>
    /// <param name="specs">What each generates, of one model.</param>
    /// <param name="cancellationToken">The caller gave up.</param>
    /// <exception cref="IgptException">What refused one of them; none has been started. InvalidArgument: no replica can ever take as many.</exception>
    public async Task StartAllAsync(SessionId[] ids, GenerationSpec[] specs, CancellationToken cancellationToken)
    {
        string model = specs[0].Model;
        int most = (await models.ReplicasAsync(model)).Max(replica => replica.Capacity);
        Require.That(
            most == 0 || ids.Length <= most,
            "samples",
            $"a replica of model '{model}' takes at most {most:N0} sequences, as many as KV slots and queue hold; given {ids.Length:N0}: ask for them in several requests");
        await TakingBackAsync(ids, attempt => replicas.CallAsync(
            model, replica => Task.WhenAll(ids.Select((id, i) => Session(id).StartAsync(specs[i], replica, attempt))), cancellationToken));
    }

    /// <summary>Starts a session that shares another's beginning.</summary>
    /// <param name="parent">The other.</param>
    /// <param name="child">The new session.</param>
    /// <param name="branch">Where and how it differs.</param>
    /// <exception cref="IgptException">SessionNotFound, InvalidArgument; what refused it.</exception>
    public Task<SessionDescription> ForkAsync(SessionId parent, SessionId child, SessionBranch branch) =>
        TakingBackAsync([child], attempt => Session(parent).ForkAsync(child, branch, attempt));

    async Task<T> TakingBackAsync<T>(SessionId[] ids, Func<Guid, Task<T>> start)
    {
        var attempt = Guid.NewGuid();
        try
        {
            return await start(attempt);
        }
        catch
        {
            Task withdrawn = Task.WhenAll(ids.Select(id => WithdrawAsync(id, attempt)));
            await withdrawn.WaitAsync(AnswerLimit, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    async Task WithdrawAsync(SessionId id, Guid attempt)
    {
        for (long since = time.GetTimestamp(); ;)
        {
            try
            {
                await Session(id).WithdrawAsync(attempt);
                return;
            }
            catch (Exception failure)
            {
                if (time.GetElapsedTime(since) >= WithdrawLimit)
                {
                    LogNotWithdrawn(failure, id);
                    return;
                }
            }

            await Task.Delay(Interval, time);
        }
    }

    ISessionGrain Session(SessionId id) => grains.GetGrain<ISessionGrain>(id.ToString());

    [LoggerMessage(2011, LogLevel.Warning, "Session {Session}, whose start has failed for its caller, could not be taken back")]
    partial void LogNotWithdrawn(Exception failure, SessionId session);
}
