namespace IgptCluster.Contracts;

/// <summary>How many more replicas of a model a silo can take now.</summary>
/// <param name="Replicas">At least 0.</param>
/// <param name="Explanation">What a replica takes and what is left, for messages.</param>
[GenerateSerializer, Immutable, Alias("igpt.silo-room")]
public sealed record SiloRoom([property: Id(0)] int Replicas, [property: Id(1)] string Explanation);
