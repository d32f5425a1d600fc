using IgptCluster.Simulation.Devices;

namespace IgptCluster.Simulation.Cluster;

/// <summary>What is simulated.</summary>
internal sealed record SimulatedTopology
{
    /// <summary>Silos with one device each.</summary>
    public required int Silos { get; init; }

    /// <summary>Silos without devices, where requests come in.</summary>
    public required int Gateways { get; init; }

    /// <summary>What steps cost.</summary>
    public required StepRoofline Roofline { get; init; }

    /// <summary>KV slots of a device.</summary>
    public required int Slots { get; init; }

    /// <summary>Sequences that an engine lets wait.</summary>
    public required int MaxWaiting { get; init; }

    /// <summary>What a device waits for the engine's thread, for each sequence of a step.</summary>
    public required TimeSpan HostPerToken { get; init; }

    /// <summary>Seconds of this machine that make one of the simulation once the cluster has started.</summary>
    public required double Dilation { get; init; }

    /// <summary>The simulation's clock.</summary>
    public required DilatedTimeProvider Time { get; init; }

    /// <summary>Blocks a device's thread.</summary>
    public void Wait(TimeSpan simulated) => Thread.Sleep(Time.Real(simulated));

    /// <summary>Waits until so much of the simulation's time has passed. Timers may end early by it.</summary>
    /// <param name="started">Since when, by its clock.</param>
    /// <param name="elapsed">How much.</param>
    /// <param name="stop">Ends the wait; it does not throw.</param>
    public async Task UntilAsync(long started, TimeSpan elapsed, CancellationToken stop = default)
    {
        while (!stop.IsCancellationRequested && elapsed - Time.GetElapsedTime(started) is var left && left > TimeSpan.Zero)
        {
            await Task.Delay(left, Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
