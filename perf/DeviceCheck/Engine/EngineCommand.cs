using System.CommandLine;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Measures an engine in this process.</summary>
internal static class EngineCommand
{
    internal static Command Create()
    {
        var options = new EngineOptionSet();
        var json = new Option<string>("--json") { Description = "File for the results; written again after each part.", DefaultValueFactory = _ => "perf-engine.json" };
        var command = new Command("engine", "Measures the engine in this process, beside the device's limits measured in the same run: no silo, no store, no gRPC.") { json };
        Array.ForEach(options.All, command.Add);
        command.SetAction((parsed, _) => options.WithSettingsAsync(parsed, settings => RunAsync(settings, parsed.GetRequiredValue(json))));
        return command;
    }

    /// <summary>Measures, writes the results after each part, and prints them at the end.</summary>
    internal static async Task<int> RunAsync(EngineSettings settings, string json)
    {
        EngineReport report = await new EngineProgram(settings, report => Results.Write(json, report)).RunAsync();
        EngineTables.Print(report);
        Console.WriteLine($"Wrote {json}");
        return 0;
    }
}
