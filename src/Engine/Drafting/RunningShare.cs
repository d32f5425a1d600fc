namespace IgptCluster.Engine.Drafting;

/// <summary>How often lately something was so. One owner at a time.</summary>
sealed class RunningShare
{
    const double LeastWeight = 1.0 / 32;

    int _count;

    /// <summary>The share, 0 … 1; 0 before anything was added.</summary>
    internal double Value { get; private set; }

    internal void Add(bool isSo)
    {
        double weight = Math.Max(LeastWeight, 1.0 / ++_count);
        Value += weight * ((isSo ? 1 : 0) - Value);
    }
}
