using System.Text.Json;
using System.Text.Json.Serialization;

namespace IgptCluster.DeviceCheck;

/// <summary>Writes results as JSON, again after each part, so that a run that is cut off leaves what it had.</summary>
internal static class Results
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Replaces the file at once: nobody reads half of it.</summary>
    internal static void Write<T>(string file, T results)
    {
        string temporary = file + ".tmp";
        File.WriteAllText(temporary, JsonSerializer.Serialize(results, Indented));
        File.Move(temporary, file, overwrite: true);
    }
}
