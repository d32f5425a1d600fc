namespace IgptCluster.Simulation;

/// <summary>What one device can do by its roofline, under the mix of requests.</summary>
internal static class Capacity
{
    // Half of the images are unconditional (1,024 tokens, at position 512 on average), half completions (512, at 768).
    const int MeanPosition = ((1024 * 512) + (512 * 768)) / 1536;

    /// <summary>Tokens per second of a device that decodes so many sequences.</summary>
    internal static double TokensPerSecond(SimulationSettings settings, double sequences) => sequences / Step(settings, sequences);

    /// <summary>How many sequences run where so many tokens are asked for.</summary>
    /// <param name="tokensPerSecond">Tokens per second of one device.</param>
    internal static double Sequences(SimulationSettings settings, double tokensPerSecond)
    {
        double sequences = 1;
        for (int round = 0; round < 100; round++)
        {
            sequences = Math.Min(settings.Slots, tokensPerSecond * Step(settings, sequences));
        }

        return sequences;
    }

    static double Step(SimulationSettings settings, double sequences)
    {
        // Between whole numbers of sequences the roofline is a line.
        (double one, double all) = (settings.Roofline.Decode(1, MeanPosition).Total.TotalSeconds, settings.Roofline.Decode(settings.Slots, MeanPosition).Total.TotalSeconds);
        return one + ((all - one) * (sequences - 1) / Math.Max(1, settings.Slots - 1)) + (sequences * settings.HostPerToken.TotalSeconds);
    }
}
