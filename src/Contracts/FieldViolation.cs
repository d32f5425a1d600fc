namespace IgptCluster.Contracts;

/// <summary>One field of a request that breaks a rule.</summary>
/// <param name="Field">The field in the protocol's spelling, <c>labels[3]</c>.</param>
/// <param name="Message">Rule, given value and cure.</param>
[GenerateSerializer, Immutable, Alias("igpt.field-violation")]
public sealed record FieldViolation([property: Id(0)] string Field, [property: Id(1)] string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Field}: {Message}";
}
