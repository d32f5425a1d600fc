using System.Globalization;
using IgptCluster.CommandLine;

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
        value.Length <= MaxLength ? $"'{PrintableText.Escape(value)}'" : string.Create(CultureInfo.InvariantCulture, $"'{PrintableText.Escape(Cut(value, MaxLength))}…' ({value.Length:N0} characters)");

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
}
