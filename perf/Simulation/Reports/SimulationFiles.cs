using System.Text.Json;
using System.Text.Json.Serialization;

namespace IgptCluster.Simulation.Reports;

/// <summary>Writes results.</summary>
internal static class SimulationFiles
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    internal static async Task WriteAsync<T>(string file, T results)
    {
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(results, Indented));
        Console.WriteLine($"Wrote {file}");
    }
}
