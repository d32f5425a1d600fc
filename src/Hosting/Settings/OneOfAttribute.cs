using System.ComponentModel.DataAnnotations;
using IgptCluster.CommandLine;

namespace IgptCluster.Hosting.Settings;

/// <summary>A setting that is one of some words; absent, it is not checked.</summary>
/// <param name="words">The words.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OneOfAttribute(params string[] words) : ValidationAttribute
{
    /// <summary>The words.</summary>
    public IReadOnlyList<string> Words => words;

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is null || words.Contains(value);

    /// <inheritdoc/>
    public override string FormatErrorMessage(string name) => $"must be {ChoiceOption.List(words)}";
}
