namespace IgptCluster.Contracts;

/// <summary>A model and its replicas at one moment.</summary>
/// <param name="Model">The model; null until a replica has loaded it.</param>
/// <param name="Replicas">Every replica that answers, loading ones included.</param>
[GenerateSerializer, Immutable, Alias("igpt.model-snapshot")]
public sealed record ModelSnapshot([property: Id(0)] ModelDescription? Model, [property: Id(1)] ReplicaStatus[] Replicas);
