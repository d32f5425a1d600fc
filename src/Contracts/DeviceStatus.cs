namespace IgptCluster.Contracts;

/// <summary>A device of a silo, at one moment.</summary>
[GenerateSerializer, Immutable, Alias("igpt.device-status")]
public sealed record DeviceStatus
{
    /// <summary><c>cpu</c>, <c>cuda:0</c> …</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>What it is, in its maker's words; empty where that is not known.</summary>
    [Id(1)]
    public string Description { get; init; } = "";

    /// <summary>Its memory in bytes; 0 where that is not known.</summary>
    [Id(2)]
    public long MemoryTotal { get; init; }

    /// <summary>What of it is free for whatever process, in bytes, to a hundredth of all.</summary>
    [Id(3)]
    public long MemoryFree { get; init; }

    /// <summary>Share of the last second or so in which it computed, 0 … 1; null where that is not known.</summary>
    [Id(4)]
    public double? Utilization { get; init; }
}
