namespace IgptCluster.Simulation.Cluster;

/// <summary>What the steps of one or more engines took together.</summary>
/// <param name="Steps">Steps.</param>
/// <param name="Sequences">Sequences that tokens were handed to.</param>
/// <param name="Host">Processor time of the engines' threads between steps, of this machine.</param>
/// <param name="Charged">What the devices waited for the host, simulated.</param>
/// <param name="Device">What the steps cost on the devices, simulated.</param>
/// <param name="Memory">Of that, bound by reading weights and KV cache.</param>
/// <param name="Arithmetic">Of that, bound by arithmetic.</param>
/// <param name="Launches">Of that, launches and the way to the host.</param>
/// <param name="Lost">By how much steps took too long because this machine was too slow, simulated.</param>
internal readonly record struct EngineSums(
    long Steps, long Sequences, TimeSpan Host, TimeSpan Charged, TimeSpan Device, TimeSpan Memory, TimeSpan Arithmetic, TimeSpan Launches, TimeSpan Lost)
{
    public static EngineSums operator +(EngineSums one, EngineSums other) => one.With(other, 1);

    public static EngineSums operator -(EngineSums one, EngineSums other) => one.With(other, -1);

    EngineSums With(EngineSums other, int sign) => new(
        Steps + (sign * other.Steps),
        Sequences + (sign * other.Sequences),
        Host + (sign * other.Host),
        Charged + (sign * other.Charged),
        Device + (sign * other.Device),
        Memory + (sign * other.Memory),
        Arithmetic + (sign * other.Arithmetic),
        Launches + (sign * other.Launches),
        Lost + (sign * other.Lost));
}
