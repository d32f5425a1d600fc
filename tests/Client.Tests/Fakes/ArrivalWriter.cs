namespace IgptCluster.Client.Tests.Fakes;

/// <summary>Output that tells when a line with some words comes.</summary>
/// <param name="words">The words.</param>
/// <param name="arrived">Called with the line's end.</param>
internal sealed class ArrivalWriter(string words, Action arrived) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (value?.Contains(words, StringComparison.Ordinal) == true)
        {
            arrived();
        }
    }
}
