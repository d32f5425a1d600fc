namespace IgptCluster.Engine.Drafting;

/// <summary>How often lately something was so. One owner at a time.</summary>
sealed class RunningShare
{
    const double LeastWeight = 1.0 / 32;
    const int Few = 4;

    int _count;

    /// <summary>The share, 0 … 1; 0 before anything was added.</summary>
    internal double Value { get; private set; }

    /// <summary>The share where so far too little was added to tell: between it and another one.</summary>
    /// <param name="otherwise">What is to be expected where nothing was added.</param>
    internal double Lean(double otherwise) => ((Value * _count) + (otherwise * Few)) / (_count + Few);

    internal void Add(bool isSo)
    {
        double weight = Math.Max(LeastWeight, 1.0 / ++_count);
        Value += weight * ((isSo ? 1 : 0) - Value);
    }
}
