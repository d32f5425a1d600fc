using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>What a replica knows once its weights are loaded.</summary>
/// <param name="Description">The model as clients see it.</param>
/// <param name="Heads">The checkpoint's own classifier heads, the default first.</param>
public sealed record LoadedModel(ModelDescription Description, IReadOnlyList<LinearHead> Heads);
