namespace IgptCluster.Training.Optimization;

/// <summary>Linear warm-up, then half a cosine down to a share of the peak.</summary>
/// <param name="Peak">The highest learning rate.</param>
/// <param name="WarmupSteps">Steps until the peak, at least 0.</param>
/// <param name="TotalSteps">Steps until the end.</param>
/// <param name="FinalShare">Share of the peak that is left at the end, 0 to 1.</param>
internal sealed record LearningRate(double Peak, long WarmupSteps, long TotalSteps, double FinalShare = 0)
{
    /// <summary>The learning rate of a step.</summary>
    /// <param name="step">From 1 to <see cref="TotalSteps"/>.</param>
    internal double At(long step)
    {
        if (step <= WarmupSteps)
            return Peak * step / WarmupSteps;
        double done = Math.Clamp((double)(step - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps), 0, 1);
        return Peak * (FinalShare + ((1 - FinalShare) * 0.5 * (1 + Math.Cos(Math.PI * done))));
    }
}
