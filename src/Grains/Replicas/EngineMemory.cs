namespace IgptCluster.Grains.Replicas;

/// <summary>What an engine takes of its device's memory.</summary>
/// <param name="WeightBytes">Its weights, in bytes.</param>
/// <param name="Slots">Its KV slots.</param>
/// <param name="SlotBytes">Each of them, in bytes.</param>
public sealed record EngineMemory(long WeightBytes, int Slots, long SlotBytes)
{
    const long Scratch = 16 << 20; // rows of a step, logits
    const double MiB = 1 << 20;

    /// <summary>All of it, at least 1.</summary>
    public long Bytes => Scratch + WeightBytes + (Slots * SlotBytes);

    /// <inheritdoc/>
    public override string ToString() => $"{Bytes / MiB:N0} MiB ({WeightBytes / MiB:N0} of weights, {Slots} KV slots of {SlotBytes / MiB:0.#})";
}
