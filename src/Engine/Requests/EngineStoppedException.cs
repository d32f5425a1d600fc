namespace IgptCluster.Engine.Requests;

/// <summary>The engine stopped before this sequence ended: a device fault, or it was disposed. Another engine can take the sequence up.</summary>
public sealed class EngineStoppedException : Exception
{
    /// <summary>Stopped without further words.</summary>
    public EngineStoppedException()
    {
    }

    /// <summary>Stopped for a reason.</summary>
    /// <param name="message">The reason.</param>
    public EngineStoppedException(string message)
        : base(message)
    {
    }

    /// <summary>Stopped by a failure.</summary>
    /// <param name="message">The reason.</param>
    /// <param name="innerException">The failure.</param>
    public EngineStoppedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
