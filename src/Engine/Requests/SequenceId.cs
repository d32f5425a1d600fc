namespace IgptCluster.Engine.Requests;

/// <summary>Names one sequence of an engine; unique among those in flight.</summary>
/// <param name="Value">Any text.</param>
public readonly record struct SequenceId(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value;
}
