namespace IgptCluster.Grains.Replicas;

/// <summary>How much of a replica's weights is there. Any thread.</summary>
public sealed class LoadProgress : IProgress<double>
{
    double _share;

    /// <summary>0 … 1; the highest told.</summary>
    public double Share => Volatile.Read(ref _share);

    /// <inheritdoc/>
    public void Report(double value)
    {
        // Several threads tell, and not in order.
        for (double known = Share; value > known; known = Share)
        {
            Interlocked.CompareExchange(ref _share, value, known);
        }
    }
}
