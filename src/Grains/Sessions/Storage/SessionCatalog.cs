using System.Collections.Concurrent;
using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions.Storage;

/// <summary>All sessions of the cluster: those in some silo's memory as their grains see them, the others as they are stored, without taking them up. Any thread.</summary>
/// <param name="grains">Reaches the grains.</param>
/// <param name="services">Has the store's services where there is a store.</param>
/// <param name="options">How long sessions are kept.</param>
public sealed class SessionCatalog(IGrainFactory grains, IServiceProvider services, IOptions<SessionOptions> options)
{
    const int Parallelism = 32;
    static readonly GrainType SessionType = GrainType.Create("igpt.session");

    /// <summary>The latest sessions, oldest first.</summary>
    /// <param name="wanted">Which are told.</param>
    /// <param name="limit">Most sessions told.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<SessionDescription>> ListAsync(Func<SessionDescription, bool> wanted, int limit, CancellationToken cancellationToken)
    {
        List<GrainId> active = await grains.GetGrain<IManagementGrain>(0).GetActiveGrains(SessionType, cancellationToken);
        var seen = new ConcurrentDictionary<SessionId, SessionDescription?>();
        await ForEachAsync(active.Select(grain => new SessionId(grain.Key.ToString()!)), AskAsync, seen, cancellationToken);
        if (services.GetService<IStoredSessions>() is { } stored && services.GetKeyedService<IGrainStorage>(SessionStore.Name) is { } storage)
        {
            List<SessionId> others = await stored.ListAsync(cancellationToken).Where(id => !seen.ContainsKey(id)).ToListAsync(cancellationToken);
            await ForEachAsync(others, id => ReadAsync(storage, id), seen, cancellationToken);
        }

        return [.. seen.Values.OfType<SessionDescription>().Where(wanted).OrderByDescending(session => session.Created).Take(limit).Reverse()];
    }

    static Task ForEachAsync(
        IEnumerable<SessionId> ids, Func<SessionId, Task<SessionDescription?>> describe, ConcurrentDictionary<SessionId, SessionDescription?> seen, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken }, async (id, _) =>
        {
            try
            {
                seen[id] = await describe(id);
            }
            catch (IgptException gone) when (gone.Code is IgptErrorCode.SessionNotFound or IgptErrorCode.DataLoss)
            {
                // It has ended since it was named; or its record is damaged, which the log tells, and so does a call to it.
                seen[id] = null;
            }
            catch (OrleansException)
            {
                // Its silo was lost: what is stored will tell.
            }
        });

    async Task<SessionDescription?> AskAsync(SessionId id) => await grains.GetGrain<ISessionGrain>(id.ToString()).GetAsync();

    async Task<SessionDescription?> ReadAsync(IGrainStorage storage, SessionId id)
    {
        SessionRecord record = await new SessionStore(storage, GrainId.Create(SessionType, id.ToString())).ReadAsync();
        return record.Spec is null ? null : SessionState.Restore(record, options.Value).Describe(id, record.Expires);
    }
}
