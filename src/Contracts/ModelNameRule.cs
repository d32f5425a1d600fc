using IgptCluster.CommandLine;

namespace IgptCluster.Contracts;

/// <summary>The rule of models' names, wherever one is given: they are parts of addresses, of replicas' ids and of lines of logs.</summary>
public static class ModelNameRule
{
    /// <summary>The rule in words.</summary>
    public const string Words = "1 … 128 characters without ';', '/' and control characters";

    const int MaxLength = 128;

    /// <summary>Whether a name keeps the rule.</summary>
    /// <param name="name">The name.</param>
    public static bool IsKeptBy(string name) => name.Length is > 0 and <= MaxLength && !name.AsSpan().ContainsAny(";/") && PrintableText.IsPrintable(name);
}
