namespace IgptCluster.CommandLine;

/// <summary>What data types are called: one set of names for all programs, settings and requests.</summary>
public static class DataTypeNames
{
    static readonly string[][] Names = [["float32", "f32", "fp32"], ["bfloat16", "bf16"], ["float16", "f16", "fp16", "half"], ["int8", "i8"]];

    /// <summary>Finds a type by any of its usual names: <c>bf16</c> and <c>bfloat16</c> are the same.</summary>
    /// <param name="given">What was given.</param>
    /// <param name="types">The types that are taken, by their full names.</param>
    /// <returns>The full name; null if it is none of the types.</returns>
    public static string? Find(string given, IEnumerable<string> types) =>
        Names.FirstOrDefault(names => names.Contains(given, StringComparer.OrdinalIgnoreCase)) is { } found && types.Contains(found[0]) ? found[0] : null;
}
