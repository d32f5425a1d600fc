using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Load;

var options = new EngineOptionSet();
var engineOnly = new Option<bool>("--engine-only") { Description = "Measures the engine in this process only: no silo, no store, no gRPC, no picture." };
var json = new Option<string>("--json") { Description = "File for the results; the engine's are written after each part.", DefaultValueFactory = _ => "perf-load.json" };
var picture = new Option<string>("--picture") { Description = "File for the roofline, PNG.", DefaultValueFactory = _ => "perf-load.png" };
var root = new RootCommand("Measures the engine in this process and a silo over gRPC, beside this machine's limits measured in the same run.") { engineOnly, json, picture };
Array.ForEach(options.All, root.Add);
root.SetAction((parsed, _) => options.WithSettingsAsync(parsed, settings => parsed.GetValue(engineOnly)
    ? EngineCommand.RunAsync(settings, parsed.GetRequiredValue(json))
    : LoadProgram.RunAsync(settings, parsed.GetRequiredValue(json), parsed.GetRequiredValue(picture))));
return await new CommandProgram("perf/Load", root).RunAsync(args);
