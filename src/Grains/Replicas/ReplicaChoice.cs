using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>Which replica takes a request.</summary>
public static class ReplicaChoice
{
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);
    static readonly TimeSpan AnswerTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The replica for a new request: of two ready ones picked at random, the one with more room as they say themselves, now. What is known of them is a second
    /// old: by that alone, all that comes in a second would go to those that had room before it.
    /// </summary>
    /// <param name="grains">Reaches the replicas.</param>
    /// <param name="replicas">The model's replicas, as they were lately.</param>
    /// <param name="random">Picks the two.</param>
    /// <param name="time">Clock for how long an answer may take.</param>
    /// <returns>Null if none is ready.</returns>
    public static async Task<ReplicaId?> ChooseAsync(IGrainFactory grains, IReadOnlyList<ReplicaStatus> replicas, Random random, TimeProvider time)
    {
        if (Two(replicas, random) is not { } two)
        {
            return replicas.FirstOrDefault(IsReady)?.Id;
        }

        ReplicaStatus?[] now = await Task.WhenAll(NowAsync(grains, two.First, time), NowAsync(grains, two.Second, time));
        return (BetterOfTwo([.. now.OfType<ReplicaStatus>()], random) ?? BetterOfTwo(replicas, random))?.Id;
    }

    /// <summary>
    /// The replica for one of many that lost theirs at the same time: at random, by the room each has. All of them ask before any of them is there, and would all find the same one
    /// roomier; what they cost is mostly being read again, which is over sooner the more replicas share it.
    /// </summary>
    /// <param name="grains">Reaches the replicas.</param>
    /// <param name="replicas">The model's replicas, as they were lately.</param>
    /// <param name="random">Picks.</param>
    /// <param name="time">Clock for how long an answer may take.</param>
    /// <returns>Null if none is ready and answers.</returns>
    public static async Task<ReplicaId?> ChooseFromCrowdAsync(IGrainFactory grains, IReadOnlyList<ReplicaStatus> replicas, Random random, TimeProvider time)
    {
        foreach (ReplicaStatus replica in ByRoom(replicas, random))
        {
            if (await NowAsync(grains, replica, time) is { State: ReplicaState.Ready })
            {
                return replica.Id;
            }
        }

        return null;
    }

    /// <summary>The ready replicas at random, each the sooner the more room it has: the first is one with a probability proportional to its room (Efraimidis and Spirakis, 2006).</summary>
    /// <param name="replicas">The model's replicas.</param>
    /// <param name="random">Picks.</param>
    public static IReadOnlyList<ReplicaStatus> ByRoom(IReadOnlyList<ReplicaStatus> replicas, Random random) =>
        [.. Ready(replicas).OrderBy(replica => -Math.Log(1 - random.NextDouble()) / Math.Max(1, replica.SlotsTotal - replica.Running - replica.Waiting))];

    /// <summary>The ready replica with more room out of two picked at random; null if none is ready.</summary>
    /// <param name="replicas">The model's replicas.</param>
    /// <param name="random">Picks the two.</param>
    public static ReplicaStatus? BetterOfTwo(IReadOnlyList<ReplicaStatus> replicas, Random random) =>
        Two(replicas, random) is not { } two ? replicas.FirstOrDefault(IsReady) : Load(two.First) <= Load(two.Second) ? two.First : two.Second;

    /// <summary>The ready replica with most room; null if none is ready.</summary>
    /// <param name="replicas">The model's replicas.</param>
    public static ReplicaStatus? Roomiest(IReadOnlyList<ReplicaStatus> replicas) => Ready(replicas).MinBy(Load);

    /// <summary>Why no replica can be chosen.</summary>
    /// <param name="replicas">The model's replicas.</param>
    /// <param name="name">The model's name.</param>
    public static IgptException NoneReady(IReadOnlyList<ReplicaStatus> replicas, string name)
    {
        string states = replicas.Count == 0
            ? "none has been started yet"
            : string.Join("; ", replicas.Take(Echo.MaxItems).Select(replica => $"{replica.Id} on {replica.Silo} is {replica.State.ToString().ToLowerInvariant()} {Echo.Cut(replica.Message, Echo.MaxLength)}".TrimEnd()))
                + (replicas.Count > Echo.MaxItems ? $"; and {replicas.Count - Echo.MaxItems:N0} more" : "");
        return new IgptException(IgptErrorCode.NoReplica, $"no replica of model '{name}' is ready: {states}") { RetryAfter = Retry };
    }

    static (ReplicaStatus First, ReplicaStatus Second)? Two(IReadOnlyList<ReplicaStatus> replicas, Random random)
    {
        ReplicaStatus[] ready = Ready(replicas);
        if (ready.Length < 2)
        {
            return null;
        }

        int first = random.Next(ready.Length);
        return (ready[first], ready[(first + 1 + random.Next(ready.Length - 1)) % ready.Length]);
    }

    /// <summary>A replica as it is now; null where it does not answer at once, or has started afresh and has not got its heads yet.</summary>
    static async Task<ReplicaStatus?> NowAsync(IGrainFactory grains, ReplicaStatus lately, TimeProvider time)
    {
        try
        {
            ReplicaStatus now = await grains.GetGrain<IReplicaGrain>(lately.Id.ToString()).GetStatusAsync().WaitAsync(AnswerTimeout, time);
            return now.HeadsVersion.Length == 0 && lately.HeadsVersion.Length > 0 ? null : now;
        }
        catch (Exception silent) when (silent is OrleansException or TimeoutException)
        {
            return null;
        }
    }

    static ReplicaStatus[] Ready(IReadOnlyList<ReplicaStatus> replicas) => [.. replicas.Where(IsReady)];

    static bool IsReady(ReplicaStatus replica) => replica.State == ReplicaState.Ready;

    /// <summary>Sequences per KV slot: comparable between devices of different size.</summary>
    static double Load(ReplicaStatus replica) => (replica.Running + replica.Waiting) / (double)Math.Max(1, replica.SlotsTotal);
}
