namespace IgptCluster.CommandLine;

/// <summary>The known name that a mistyped one was meant to be.</summary>
public static class NearestName
{
    /// <summary>Finds the known name that is the fewest edits away: letters inserted, left out, replaced or swapped.</summary>
    /// <param name="given">What was given.</param>
    /// <param name="known">The known names.</param>
    /// <returns>Null where none is near: more than a third of the letters differ, and it is no beginning or end of a known one.</returns>
    public static string? Of(string given, IEnumerable<string> known)
    {
        string letters = string.Concat(given.ToLowerInvariant().Order());
        (string Name, int Distance)[] ranked =
        [
            .. known.Select(name => (Name: name, Distance: Distance(given.ToLowerInvariant(), name.ToLowerInvariant())))
                .OrderBy(pair => pair.Distance)
                .ThenBy(pair => string.Concat(pair.Name.ToLowerInvariant().Order()) == letters ? 0 : 1),
        ];
        if (ranked.Length > 0 && ranked[0].Distance <= Math.Max(1, Math.Max(given.Length, ranked[0].Name.Length) / 3))
        {
            return ranked[0].Name;
        }

        return given.TrimStart('-').Length > 0 ? ranked.FirstOrDefault(pair => pair.Name.StartsWith(given, StringComparison.OrdinalIgnoreCase) || EndsWithWord(pair.Name, given)).Name : null;
    }

    // At least four letters: shorter ends say nothing.
    static bool EndsWithWord(string name, string given) => given.Length >= 4 && name.EndsWith(given, StringComparison.OrdinalIgnoreCase);

    // Optimal string alignment.
    static int Distance(string one, string other)
    {
        int[,] cost = new int[one.Length + 1, other.Length + 1];
        for (int i = 0; i <= one.Length; i++)
        {
            for (int j = 0; j <= other.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                int replaced = cost[i - 1, j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[one.Length, other.Length];
    }
}
