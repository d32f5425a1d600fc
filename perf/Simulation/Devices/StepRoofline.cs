using IgptCluster.Engine.Runner;

namespace IgptCluster.Simulation.Devices;

/// <summary>
/// What a step costs on a device: products and attention each take the longer of their arithmetic and of reading what they need once, one after the other;
/// launches and the way of the logits to the host come on top. Immutable; any thread.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="device">The device.</param>
public sealed class StepRoofline(SimulatedModel model, SimulatedDevice device)
{
    readonly double _bytesPerSecond = device.BytesPerSecond * device.BandwidthShare;
    readonly double _flopsPerSecond = device.FlopsPerSecond * device.FlopsShare;

    /// <summary>The model.</summary>
    public SimulatedModel Model { get; } = model;

    /// <summary>The device.</summary>
    public SimulatedDevice Device { get; } = device;

    /// <summary>What a planned step costs.</summary>
    /// <param name="plan">The step.</param>
    public StepTimes Times(StepPlan plan)
    {
        double tokens = 0, wanted = 0, read = 0, pairs = 0, copied = 0;
        for (int index = 0; index < plan.Chunks.Count; index++)
        {
            SequenceChunk chunk = plan.Chunks[index];
            double length = chunk.Tokens.Length;
            tokens += length;
            wanted += chunk.LogitRows;
            read += chunk.Start + length;
            pairs += (length * chunk.Start) + (length * (length + 1) / 2);
        }

        for (int index = 0; index < plan.Copies.Count; index++)
        {
            copied += 2.0 * plan.Copies[index].Length;
        }

        return Times(tokens, wanted, read, pairs, copied);
    }

    /// <summary>What a step costs in which sequences decode at one position.</summary>
    /// <param name="sequences">How many.</param>
    /// <param name="position">Tokens in each one's KV slot.</param>
    public StepTimes Decode(int sequences, int position) => Times(sequences, sequences, (double)sequences * (position + 1), (double)sequences * (position + 1), copied: 0);

    /// <param name="tokens">Tokens fed.</param>
    /// <param name="wanted">Tokens whose logits are wanted.</param>
    /// <param name="read">Tokens of KV cache that are read or written.</param>
    /// <param name="pairs">Pairs of a token and one that it attends to.</param>
    /// <param name="copied">Tokens of KV cache read and written by copies of prefixes.</param>
    StepTimes Times(double tokens, double wanted, double read, double pairs, double copied)
    {
        ModelShape shape = Model.Shape;
        double weights = (Model.LayerWeights + (wanted > 0 ? Model.HeadWeights : 0)) * Model.WeightSize / _bytesPerSecond;
        double products = 2 * ((Model.LayerWeights * tokens) + (Model.HeadWeights * wanted)) / _flopsPerSecond;
        double cache = (read + copied) * Model.CacheBytesPerToken / _bytesPerSecond;
        double attention = 4.0 * shape.LayerCount * shape.EmbeddingSize * pairs / _flopsPerSecond;
        double host = wanted * shape.LogitCount * sizeof(float) / Device.HostBytesPerSecond;
        return new StepTimes(
            Weights: TimeSpan.FromSeconds(weights),
            Products: TimeSpan.FromSeconds(products),
            Cache: TimeSpan.FromSeconds(cache),
            Attention: TimeSpan.FromSeconds(attention),
            Launches: ((Model.KernelsPerLayer * shape.LayerCount) + 2) * Device.LaunchTime,
            Host: Device.HostLatency + TimeSpan.FromSeconds(host));
    }
}
