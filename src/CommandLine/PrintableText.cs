using System.Globalization;
using System.Text;

namespace IgptCluster.CommandLine;

/// <summary>
/// Text that a terminal or a log shows as it is. Control characters, line ends, and characters that change the direction of what follows do not belong to it: they could move the cursor, hide what
/// else is shown, or begin a line that looks like another's. Any thread.
/// </summary>
public static class PrintableText
{
    /// <summary>Whether all of a text prints.</summary>
    /// <param name="text">The text.</param>
    public static bool IsPrintable(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!Prints(text, i))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A text on one line; what does not print is escaped, as <c>\u001b</c>.</summary>
    /// <param name="text">The text.</param>
    public static string Escape(string text)
    {
        if (IsPrintable(text))
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 8);
        for (int i = 0; i < text.Length; i++)
        {
            _ = Prints(text, i) ? escaped.Append(text[i]) : escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[i]:x4}");
        }

        return escaped.ToString();
    }

    // Halves of characters that nothing completes do not print either.
    static bool Prints(string text, int at) => CharUnicodeInfo.GetUnicodeCategory(text[at]) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => false,
        UnicodeCategory.Surrogate => char.IsHighSurrogate(text[at]) ? at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) : at > 0 && char.IsHighSurrogate(text[at - 1]),
        _ => true,
    };
}
