namespace IgptCluster.Model.Torch;

/// <summary>How a <see cref="TorchModelRunner"/> is set up.</summary>
public sealed record TorchRunnerOptions
{
    /// <summary>Number of KV slots, at least 1; each costs <see cref="TorchModelRunner.SlotBytes"/> of device memory.</summary>
    public required int Slots { get; init; }
}
