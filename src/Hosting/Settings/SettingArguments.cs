using IgptCluster.CommandLine;

namespace IgptCluster.Hosting.Settings;

/// <summary>Settings on the command line by their full names: <c>--Igpt:Sessions:MaxResumptions=5</c>, with the value behind a <c>=</c> or as the next word.</summary>
static class SettingArguments
{
    static readonly string[] Sections = ["Igpt", "Logging", "Kestrel"];

    /// <summary>Takes them out of a command line.</summary>
    /// <param name="args">The command line.</param>
    /// <returns>The settings, and the rest of the command line.</returns>
    /// <exception cref="UsageException">One has no value, or belongs to no known section.</exception>
    internal static (Dictionary<string, string?> Settings, string[] Remaining) Split(string[] args)
    {
        var settings = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var rest = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            string[] parts = args[i].Split('=', 2);
            if (!parts[0].StartsWith("--", StringComparison.Ordinal) || !parts[0].Contains(':', StringComparison.Ordinal))
            {
                rest.Add(args[i]);
                continue;
            }

            string key = parts[0][2..];
            if (!Sections.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase))
            {
                string nearest = NearestName.Of(key.Split(':')[0], Sections) is { } section ? $"; the nearest is {section}" : "";
                throw new UsageException($"{parts[0]}: there is no section of settings '{key.Split(':')[0]}'{nearest}");
            }

            settings[key] = parts.Length == 2 ? parts[1] : i + 1 < args.Length ? args[++i] : throw new UsageException($"{parts[0]}: a value must follow: {parts[0]}=VALUE");
        }

        return (settings, [.. rest]);
    }
}
