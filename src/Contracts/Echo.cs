using System.Globalization;
using System.Text;

namespace IgptCluster.Contracts;

/// <summary>How messages show text that somebody else chose: quoted, on one line, and short enough for a status. Any thread.</summary>
public static class Echo
{
    /// <summary>Most characters of one value.</summary>
    public const int MaxLength = 200;

    /// <summary>Most values of one list.</summary>
    public const int MaxItems = 10;

    /// <summary>A value in quotes; what does not print is escaped, and a long one is cut and its length told.</summary>
    /// <param name="value">The value.</param>
    public static string Quoted(string value) =>
        value.Length <= MaxLength ? $"'{Escaped(value)}'" : string.Create(CultureInfo.InvariantCulture, $"'{Escaped(Cut(value, MaxLength))}…' ({value.Length:N0} characters)");

    /// <summary>Values in quotes, the first <see cref="MaxItems"/> of them, and how many more there are; "none" if there are none.</summary>
    /// <param name="values">The values.</param>
    public static string List(IReadOnlyCollection<string> values)
    {
        string shown = string.Join(", ", values.Take(MaxItems).Select(Quoted));
        return values.Count == 0 ? "none" : values.Count <= MaxItems ? shown : string.Create(CultureInfo.InvariantCulture, $"{shown} and {values.Count - MaxItems:N0} more");
    }

    /// <summary>The beginning of a text, without half a character at its end.</summary>
    /// <param name="text">The text.</param>
    /// <param name="length">Most UTF-16 characters.</param>
    public static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(length > 0 && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    static string Escaped(string value)
    {
        StringBuilder? escaped = null;
        for (int i = 0; i < value.Length; i++)
        {
            if (Prints(value, i))
            {
                escaped?.Append(value[i]);
            }
            else
            {
                (escaped ??= new StringBuilder(value, 0, i, value.Length + 8)).Append(CultureInfo.InvariantCulture, $"\\u{(int)value[i]:x4}");
            }
        }

        return escaped?.ToString() ?? value;
    }

    // Control characters, line ends, and characters that change the direction of what follows; halves of characters that nothing completes.
    static bool Prints(string value, int at) => CharUnicodeInfo.GetUnicodeCategory(value[at]) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => false,
        UnicodeCategory.Surrogate => char.IsHighSurrogate(value[at]) ? at + 1 < value.Length && char.IsLowSurrogate(value[at + 1]) : at > 0 && char.IsHighSurrogate(value[at - 1]),
        _ => true,
    };
}
