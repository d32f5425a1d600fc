namespace IgptCluster.Model.Checkpoints;

/// <summary>A checkpoint folder breaks a rule. The message names every problem found: file, rule, given value.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>A violation without further words.</summary>
    public CheckpointException()
    {
    }

    /// <summary>A violation.</summary>
    /// <param name="message">File, rule and value.</param>
    public CheckpointException(string message)
        : base(message)
    {
    }

    /// <summary>A violation found by a library.</summary>
    /// <param name="message">File, rule and value.</param>
    /// <param name="innerException">What the library said.</param>
    public CheckpointException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
