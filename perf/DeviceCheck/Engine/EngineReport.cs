namespace IgptCluster.DeviceCheck.Engine;

/// <summary>What the engine does in the process that measures. Parts that were not reached are null or empty.</summary>
internal sealed record EngineReport
{
    public required string Model { get; init; }

    public required string Device { get; init; }

    /// <summary>Whose kernels: libtorch's or our own.</summary>
    public required string Runner { get; init; }

    public required string DType { get; init; }

    public required string KvDType { get; init; }

    /// <summary>libtorch's version and where it came from.</summary>
    public required string LibTorch { get; init; }

    public MachineLimits? Limits { get; init; }

    /// <summary>KV slots: as many as sequences were asked for, or as the device's memory holds; more sequences than that are not measured.</summary>
    public int Slots { get; init; }

    /// <summary>From opening the checkpoint to an engine that runs, seconds.</summary>
    public double StartSeconds { get; init; }

    /// <summary>Bytes of all weights.</summary>
    public double WeightBytes { get; init; }

    /// <summary>Bytes of all KV slots.</summary>
    public double CacheBytes { get; init; }

    public IReadOnlyList<EngineResult> Decode { get; init; } = [];

    public IReadOnlyList<PrefillResult> Prefill { get; init; } = [];

    public SamplesResult? Samples { get; init; }

    public StretchResult? Stretch { get; init; }

    public int SoakSteps { get; init; }

    /// <summary>Bytes by which the process grew in the further steps.</summary>
    public long SoakGrowth { get; init; }

    public LoadingResult? Loading { get; init; }
}
