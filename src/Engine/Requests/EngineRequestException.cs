namespace IgptCluster.Engine.Requests;

/// <summary>A request breaks a rule of this engine's model. Nothing was queued. The message gives the rule and the value.</summary>
public sealed class EngineRequestException : Exception
{
    /// <summary>A violation without further words.</summary>
    public EngineRequestException()
    {
    }

    /// <summary>A violation.</summary>
    /// <param name="message">Rule and value.</param>
    public EngineRequestException(string message)
        : base(message)
    {
    }

    /// <summary>A violation with its cause.</summary>
    /// <param name="message">Rule and value.</param>
    /// <param name="innerException">The cause.</param>
    public EngineRequestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>True if no value would do: the model cannot do this at all.</summary>
    public bool Unsupported { get; init; }
}
