using IgptCluster.Chaos.Work;

namespace IgptCluster.Chaos.Faults;

/// <summary>Something that was done, and who was streaming then.</summary>
/// <param name="Node">To whom.</param>
/// <param name="At">When, as Stopwatch counts.</param>
/// <param name="There">Streams that were generated on it, or came through it.</param>
/// <param name="Others">The other streams.</param>
internal sealed record Fault(FaultKind Kind, string Node, long At, IReadOnlyList<Track> There, IReadOnlyList<Track> Others);
