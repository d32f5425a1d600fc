using System.Text.RegularExpressions;

namespace IgptCluster.Contracts;

/// <summary>The rule of ids that become parts of file names, of the store's keys and of patterns that look for them: cluster ids, and names of heads.</summary>
public static partial class IdRule
{
    /// <summary>The rule in words.</summary>
    public const string Words = "1 … 64 letters, digits, '.', '_' or '-', a letter or digit first";

    /// <summary>Whether an id keeps the rule.</summary>
    /// <param name="id">The id.</param>
    public static bool IsKeptBy(string id) => Id().IsMatch(id);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex Id();
}
