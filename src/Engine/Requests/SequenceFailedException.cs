namespace IgptCluster.Engine.Requests;

/// <summary>The model gave values that cannot be used (not finite) for one evaluation; others are not affected.</summary>
public sealed class SequenceFailedException : Exception
{
    /// <summary>Failed without further words.</summary>
    public SequenceFailedException()
    {
    }

    /// <summary>Failed for a reason.</summary>
    /// <param name="message">The reason.</param>
    public SequenceFailedException(string message)
        : base(message)
    {
    }

    /// <summary>Failed by another failure.</summary>
    /// <param name="message">The reason.</param>
    /// <param name="innerException">The failure.</param>
    public SequenceFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
