namespace IgptCluster.Contracts;

/// <summary>A failure with a meaning for the client. The message gives the rule, the given value and the cure.</summary>
[GenerateSerializer, Alias("igpt.exception")]
public sealed class IgptException : Exception
{
    /// <summary>A failure of unknown kind.</summary>
    public IgptException()
    {
    }

    /// <summary>An internal failure.</summary>
    /// <param name="message">What happened.</param>
    public IgptException(string message)
        : base(message)
    {
    }

    /// <summary>An internal failure with its cause.</summary>
    /// <param name="message">What happened.</param>
    /// <param name="innerException">The cause.</param>
    public IgptException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A failure of a known kind.</summary>
    /// <param name="code">Its kind.</param>
    /// <param name="message">Rule, given value and cure.</param>
    public IgptException(IgptErrorCode code, string message)
        : base(message) => Code = code;

    /// <summary>A request that breaks rules in one or more fields.</summary>
    /// <param name="violations">Every broken rule, at least one.</param>
    public IgptException(IReadOnlyList<FieldViolation> violations)
        : this(IgptErrorCode.InvalidArgument, string.Join("; ", violations))
    {
        Violations = [.. violations];
        Field = violations[0].Field;
    }

    /// <summary>The kind of failure.</summary>
    [Id(0)]
    public IgptErrorCode Code { get; init; }

    /// <summary>The request field at fault, in the protocol's spelling (<c>images[0].encoded</c>); empty if none.</summary>
    [Id(1)]
    public string Field { get; init; } = "";

    /// <summary>How long to wait before trying again; null if retrying does not help.</summary>
    [Id(2)]
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>For InvalidArgument with more than one field at fault: all of them; else empty.</summary>
    [Id(3)]
    public FieldViolation[] Violations { get; init; } = [];
}
