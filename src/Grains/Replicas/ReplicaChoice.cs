using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>Which replica takes a request.</summary>
public static class ReplicaChoice
{
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    /// <summary>The ready replica with more room out of two picked at random; null if none is ready.</summary>
    /// <param name="replicas">The model's replicas.</param>
    /// <param name="random">Picks the two.</param>
    public static ReplicaStatus? BetterOfTwo(IReadOnlyList<ReplicaStatus> replicas, Random random)
    {
        ReplicaStatus[] ready = Ready(replicas);
        if (ready.Length < 2)
        {
            return ready.FirstOrDefault();
        }

        int first = random.Next(ready.Length);
        int second = (first + 1 + random.Next(ready.Length - 1)) % ready.Length;
        return Load(ready[first]) <= Load(ready[second]) ? ready[first] : ready[second];
    }

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
            : string.Join("; ", replicas.Select(replica => $"{replica.Id} on {replica.Silo} is {replica.State.ToString().ToLowerInvariant()} {replica.Message}".TrimEnd()));
        return new IgptException(IgptErrorCode.NoReplica, $"no replica of model '{name}' is ready: {states}") { RetryAfter = Retry };
    }

    static ReplicaStatus[] Ready(IReadOnlyList<ReplicaStatus> replicas) => [.. replicas.Where(replica => replica.State == ReplicaState.Ready)];

    /// <summary>Sequences per KV slot: comparable between devices of different size.</summary>
    static double Load(ReplicaStatus replica) => (replica.Running + replica.Waiting) / (double)Math.Max(1, replica.SlotsTotal);
}
