using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace IgptCluster.CommandLine;

/// <summary>
/// Options and arguments that are numbers within limits. A number is written as programs write it, whatever the user's language: a point before the decimals, nothing between thousands.
/// </summary>
public static class NumberOption
{
    /// <summary>A number with a default.</summary>
    /// <typeparam name="T">Its type: whole, or double.</typeparam>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means. The default is added.</param>
    /// <param name="otherwise">What holds where it is not given.</param>
    /// <param name="least">The smallest that is taken.</param>
    /// <param name="most">The largest that is taken.</param>
    public static Option<T> Create<T>(string name, string description, T otherwise, T least, T most)
        where T : struct, INumber<T> => new(name)
        {
            Description = Invariant($"{description} Default {otherwise}."),
            DefaultValueFactory = _ => otherwise,
            CustomParser = result => Parse(result, name, least, most) ?? otherwise,
        };

    /// <summary>A number that may be absent.</summary>
    /// <typeparam name="T">Its type: whole, or double.</typeparam>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means, and what holds without it.</param>
    /// <param name="least">The smallest that is taken.</param>
    /// <param name="most">The largest that is taken.</param>
    public static Option<T?> CreateOptional<T>(string name, string description, T least, T most)
        where T : struct, INumber<T> => new(name) { Description = description, CustomParser = result => Parse(result, name, least, most) };

    /// <summary>Several numbers with a default.</summary>
    /// <typeparam name="T">Their type: whole, or double.</typeparam>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What they mean.</param>
    /// <param name="otherwise">What holds where none is given.</param>
    /// <param name="least">The smallest that is taken.</param>
    /// <param name="most">The largest that is taken.</param>
    public static Option<T[]> CreateMany<T>(string name, string description, T[] otherwise, T least, T most)
        where T : struct, INumber<T> => new(name)
        {
            Description = Invariant($"{description} Default {string.Join(" ", otherwise)}."),
            DefaultValueFactory = _ => otherwise,
            AllowMultipleArgumentsPerToken = true,
            CustomParser = result => [.. result.Tokens.Select(token => Parse(result, token.Value, name, least, most)).OfType<T>()],
        };

    /// <summary>An argument that is a number.</summary>
    /// <typeparam name="T">Its type: whole, or double.</typeparam>
    /// <param name="name">The argument's name.</param>
    /// <param name="description">What it means.</param>
    /// <param name="least">The smallest that is taken.</param>
    /// <param name="most">The largest that is taken.</param>
    public static Argument<T> CreateArgument<T>(string name, string description, T least, T most)
        where T : struct, INumber<T> => new(name) { Description = description, CustomParser = result => Parse(result, name, least, most) ?? least };

    static T? Parse<T>(ArgumentResult result, string name, T least, T most)
        where T : struct, INumber<T> => result.Tokens.Count == 1 ? Parse(result, result.Tokens[0].Value, name, least, most) : null;

    static T? Parse<T>(ArgumentResult result, string given, string name, T least, T most)
        where T : struct, INumber<T>
    {
        // A half is nothing where numbers are whole.
        bool isWhole = T.IsInteger(T.One / (T.One + T.One));
        NumberStyles styles = isWhole ? NumberStyles.AllowLeadingSign : NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (T.TryParse(given, styles, CultureInfo.InvariantCulture, out T value) && value >= least && value <= most)
        {
            return value;
        }

        result.AddError(Invariant($"{name} must be a {(isWhole ? "whole number" : "number such as 0.5")} from {least} to {most}; given '{given}'"));
        return null;
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
