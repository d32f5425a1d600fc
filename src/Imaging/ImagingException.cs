namespace IgptCluster.Imaging;

/// <summary>An image, palette or processor configuration breaks a rule. The message gives the rule, the given value and the cure.</summary>
public sealed class ImagingException : Exception
{
    /// <summary>A violation without further words.</summary>
    public ImagingException()
    {
    }

    /// <summary>A violation.</summary>
    /// <param name="message">Rule, given value and cure.</param>
    public ImagingException(string message)
        : base(message)
    {
    }

    /// <summary>A violation found by a library.</summary>
    /// <param name="message">Rule, given value and cure.</param>
    /// <param name="innerException">What the library said.</param>
    public ImagingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
