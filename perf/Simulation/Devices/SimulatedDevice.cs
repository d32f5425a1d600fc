namespace IgptCluster.Simulation.Devices;

/// <summary>What a device can do, as far as the cost of a step goes. Immutable; any thread.</summary>
public sealed record SimulatedDevice
{
    /// <summary>
    /// A card of NVIDIA's H200 class: 4.8 TB/s and 141 GB of HBM3e and 989 TFLOP/s of dense bfloat16 products by its data sheet (which gives 1,979 with sparsity).
    /// The shares that are reached, the launches and the way to the host are assumptions, not measurements: see docs/simulation.md.
    /// </summary>
    public static SimulatedDevice H200 { get; } = new()
    {
        Name = "H200 class",
        BytesPerSecond = 4.8e12,
        BandwidthShare = 0.75,
        FlopsPerSecond = 989e12,
        FlopsShare = 0.5,
        LaunchTime = TimeSpan.FromMicroseconds(2.5),
        HostBytesPerSecond = 25e9,
        HostLatency = TimeSpan.FromMicroseconds(20),
        MemoryBytes = 141e9,
    };

    /// <summary>Its name in reports.</summary>
    public required string Name { get; init; }

    /// <summary>Rate of its memory, bytes per second.</summary>
    public required double BytesPerSecond { get; init; }

    /// <summary>Share of that which reading weights and KV cache reaches, 0 … 1.</summary>
    public required double BandwidthShare { get; init; }

    /// <summary>Rate of its matrix products, floating-point operations per second.</summary>
    public required double FlopsPerSecond { get; init; }

    /// <summary>Share of that which large products reach, 0 … 1.</summary>
    public required double FlopsShare { get; init; }

    /// <summary>Time from one kernel to the next beside what it computes.</summary>
    public required TimeSpan LaunchTime { get; init; }

    /// <summary>Rate at which logits come to the host, bytes per second.</summary>
    public required double HostBytesPerSecond { get; init; }

    /// <summary>Time to tell the host that a step has ended.</summary>
    public required TimeSpan HostLatency { get; init; }

    /// <summary>Memory, bytes.</summary>
    public required double MemoryBytes { get; init; }
}
