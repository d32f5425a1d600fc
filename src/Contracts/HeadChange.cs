namespace IgptCluster.Contracts;

/// <summary>What last happened to a model's head of one name: it was put or deleted. Of two changes of a name the later revision holds.</summary>
/// <param name="Name">The head's name.</param>
/// <param name="Revision">Grows with every change of the model's heads; unique within a model.</param>
/// <param name="Created">Revision of the put that made the name: replacing a head keeps its place among the others.</param>
/// <param name="Head">The head; null if it was deleted.</param>
/// <param name="IsDamaged">Whether there was a head whose record in the store is damaged; of an empty name: whether the list of names is. It holds until the head is put again or deleted.</param>
[GenerateSerializer, Immutable, Alias("igpt.head-change")]
public sealed record HeadChange(
    [property: Id(0)] string Name,
    [property: Id(1)] long Revision,
    [property: Id(2)] long Created,
    [property: Id(3)] HeadSpec? Head,
    [property: Id(4)] bool IsDamaged = false);
