namespace IgptCluster.Engine.Runner;

/// <summary>Copies the keys and values of positions 0 … <paramref name="Length"/> − 1 from one KV slot to another.</summary>
/// <param name="SourceSlot">Slot that holds the prefix.</param>
/// <param name="TargetSlot">Slot that receives it.</param>
/// <param name="Length">Tokens to copy, at least 1.</param>
public readonly record struct PrefixCopy(int SourceSlot, int TargetSlot, int Length);
