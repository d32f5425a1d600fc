namespace IgptCluster.Contracts;

/// <summary>Which change of a head a replica has: what two holders of heads compare before they exchange weights.</summary>
/// <param name="Name">The head's name.</param>
/// <param name="Revision">Revision of its last change.</param>
[GenerateSerializer, Immutable, Alias("igpt.head-stamp")]
public readonly record struct HeadStamp([property: Id(0)] string Name, [property: Id(1)] long Revision);
