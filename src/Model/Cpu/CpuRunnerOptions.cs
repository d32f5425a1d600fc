using static TorchSharp.torch;

namespace IgptCluster.Model.Cpu;

/// <summary>How a <see cref="CpuModelRunner"/> is set up.</summary>
public sealed record CpuRunnerOptions
{
    /// <summary>Number of KV slots, at least 1; each costs <see cref="CpuModelRunner.SlotBytes"/>.</summary>
    public required int Slots { get; init; }

    /// <summary>Type of keys and values: float32, bfloat16, or int8 with a scale for each head and position. Default bfloat16.</summary>
    public ScalarType KeyValueType { get; init; } = ScalarType.BFloat16;

    /// <summary>Threads, the engine's included, at least 1. Default: one for each core.</summary>
    public int Threads { get; init; } = Processors.CoreCount;

    /// <summary>
    /// Whether each thread stays on a core of its own, the first ones that the process may use (Linux), or the system moves them as it likes. Null, which is the default: only where there is
    /// a thread for every core that the process may run on: a container with a share of a machine's time may run on all of them.
    /// </summary>
    public bool? PinsThreads { get; init; }
}
