namespace IgptCluster.Model.Checkpoints;

/// <summary>Weights by name, in float32, a stretch at a time.</summary>
public interface IWeightSource
{
    /// <summary>Whether several threads may read at once.</summary>
    bool IsShared { get; }

    /// <summary>Reads some values of a weight.</summary>
    /// <param name="name">Its name without the <c>transformer.</c> prefix.</param>
    /// <param name="start">Index of the first value, row by row.</param>
    /// <param name="values">As many values as are wanted.</param>
    /// <exception cref="CheckpointException">A value is not finite, or the file cannot be read.</exception>
    void Read(string name, long start, Span<float> values);

    /// <summary>Tells whether what was read is what lies there still; called when all has been read.</summary>
    /// <exception cref="CheckpointException">A file was written to meanwhile.</exception>
    void RequireUnchanged()
    {
    }
}
