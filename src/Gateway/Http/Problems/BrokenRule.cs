namespace IgptCluster.Gateway.Http.Problems;

/// <summary>A refusal taken apart. Our messages read <c>field: rule; given value: cure</c>, where each part but the rule may be missing.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Value">The given value; null where none is named.</param>
/// <param name="Cure">What to do; null where the rule says it.</param>
internal sealed record BrokenRule(string Rule, string? Value, string? Cure)
{
    const string Given = "; given ";

    /// <summary>Takes a message apart.</summary>
    /// <param name="message">The message.</param>
    /// <param name="field">The field it is about; empty if none.</param>
    public static BrokenRule Parse(string message, string field = "")
    {
        string text = field.Length > 0 && message.StartsWith($"{field}: ", StringComparison.Ordinal) ? message[(field.Length + 2)..] : message;
        int given = text.LastIndexOf(Given, StringComparison.Ordinal);
        if (given < 0)
        {
            return new BrokenRule(text, null, null);
        }

        string value = text[(given + Given.Length)..];
        int end = EndOfValue(value);
        return end < 0 ? new BrokenRule(text[..given], Unquoted(value), null) : new BrokenRule(text[..given], Unquoted(value[..end]), value[(end + 2)..]);
    }

    static string Unquoted(string value) => value.Length >= 2 && value[0] == '\'' && value.IndexOf('\'', 1) == value.Length - 1 ? value[1..^1] : value;

    /// <summary>Where ": " follows outside of quotes; −1 if nowhere.</summary>
    static int EndOfValue(string text)
    {
        bool isQuoted = false;
        for (int i = 0; i < text.Length - 1; i++)
        {
            isQuoted ^= text[i] == '\'';
            if (!isQuoted && text[i] == ':' && text[i + 1] == ' ')
            {
                return i;
            }
        }

        return -1;
    }
}
