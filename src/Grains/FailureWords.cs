namespace IgptCluster.Grains;

/// <summary>What a failure says.</summary>
static class FailureWords
{
    /// <summary>A failure's message in one line: Orleans puts the stack of what another silo threw into the message.</summary>
    internal static string FirstLine(this Exception failure)
    {
        int end = failure.Message.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? failure.Message : failure.Message[..end];
    }
}
