namespace IgptCluster.Model;

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

    /// <summary>Looks at some values of a weight, where they lie if they lie there as they are wanted.</summary>
    /// <param name="name">Its name without the <c>transformer.</c> prefix.</param>
    /// <param name="start">Index of the first value, row by row.</param>
    /// <param name="room">As many values as are wanted; may be written.</param>
    /// <returns>The values: <paramref name="room"/>, or a place that is valid as long as the source.</returns>
    /// <exception cref="CheckpointException">A value is not finite, or the file cannot be read.</exception>
    ReadOnlySpan<float> Look(string name, long start, Span<float> room)
    {
        Read(name, start, room);
        return room;
    }
}
