namespace IgptCluster.Simulation.Devices;

/// <summary>Where the time of a simulated step goes.</summary>
/// <param name="Weights">Reading the weights.</param>
/// <param name="Products">Arithmetic of the products; runs while weights are read.</param>
/// <param name="Cache">Reading and writing keys and values.</param>
/// <param name="Attention">Arithmetic of attention; runs while keys and values are read.</param>
/// <param name="Launches">Starting kernels.</param>
/// <param name="Host">Bringing logits to the host.</param>
public readonly record struct StepTimes(TimeSpan Weights, TimeSpan Products, TimeSpan Cache, TimeSpan Attention, TimeSpan Launches, TimeSpan Host)
{
    /// <summary>What the step takes.</summary>
    public TimeSpan Total => Longer(Weights, Products) + Longer(Cache, Attention) + Launches + Host;

    static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
