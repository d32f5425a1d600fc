using System.CommandLine;
using System.CommandLine.Parsing;

namespace IgptCluster.CommandLine;

/// <summary>Options that are one of some words.</summary>
public static class ChoiceOption
{
    /// <summary>A word with a default.</summary>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means. Words and default are added.</param>
    /// <param name="otherwise">What holds where it is not given.</param>
    /// <param name="words">The words that are taken.</param>
    public static Option<string> Create(string name, string description, string otherwise, params string[] words) => new(name)
    {
        Description = $"{description} {List(words)}; default {otherwise}.",
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Parse(result, name, words, word => words.Contains(word) ? word : null) ?? otherwise,
    };

    /// <summary>A word that may be absent.</summary>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means, and what holds without it. The words are added.</param>
    /// <param name="words">The words that are taken.</param>
    public static Option<string?> CreateOptional(string name, string description, params string[] words) =>
        new(name) { Description = $"{description} {List(words)}.", CustomParser = result => Parse(result, name, words, word => words.Contains(word) ? word : null) };

    /// <summary>Several words with a default.</summary>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What they mean. The words are added.</param>
    /// <param name="otherwise">What holds where none is given.</param>
    /// <param name="words">The words that are taken.</param>
    public static Option<string[]> CreateMany(string name, string description, string[] otherwise, params string[] words) => new(name)
    {
        Description = $"{description} {List(words)}.",
        DefaultValueFactory = _ => otherwise,
        AllowMultipleArgumentsPerToken = true,
        CustomParser = result => [.. result.Tokens.Select(token => Parse(result, token.Value, name, words, word => words.Contains(word) ? word : null)).OfType<string>()],
    };

    /// <summary>A data type with a default, by any of its usual names.</summary>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means. Types and default are added.</param>
    /// <param name="otherwise">What holds where it is not given.</param>
    /// <param name="types">The types that are taken, as <see cref="DataTypeNames"/> has them.</param>
    /// <returns>The option; its value is one of <paramref name="types"/>.</returns>
    public static Option<string> CreateDataType(string name, string description, string otherwise, params string[] types) => new(name)
    {
        Description = $"{description} {List(types)}; default {otherwise}.",
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Parse(result, name, types, word => DataTypeNames.Find(word, types)) ?? otherwise,
    };

    /// <summary>A data type that may be absent, by any of its usual names.</summary>
    /// <param name="name">The option's name, with its hyphens.</param>
    /// <param name="description">What it means, and what holds without it. The types are added.</param>
    /// <param name="types">The types that are taken, as <see cref="DataTypeNames"/> has them.</param>
    /// <returns>The option; its value is one of <paramref name="types"/>.</returns>
    public static Option<string?> CreateOptionalDataType(string name, string description, params string[] types) =>
        new(name) { Description = $"{description} {List(types)}.", CustomParser = result => Parse(result, name, types, word => DataTypeNames.Find(word, types)) };

    /// <summary>Words as a sentence lists them: a, b or c.</summary>
    /// <param name="words">The words.</param>
    public static string List(IReadOnlyList<string> words) => words.Count < 2 ? string.Concat(words) : $"{string.Join(", ", words.SkipLast(1))} or {words[^1]}";

    static string? Parse(ArgumentResult result, string name, string[] words, Func<string, string?> find) =>
        result.Tokens.Count == 1 ? Parse(result, result.Tokens[0].Value, name, words, find) : null;

    static string? Parse(ArgumentResult result, string given, string name, string[] words, Func<string, string?> find)
    {
        string? found = find(given);
        if (found is null)
        {
            result.AddError($"{name} must be {List(words)}; given '{given}'");
        }

        return found;
    }
}
