using System.CommandLine;
using IgptCluster.Chaos;
using IgptCluster.Chaos.Faults;

var model = new Option<string>("--model") { Description = "Checkpoint folder.", DefaultValueFactory = _ => Path.Combine("tests", "models", "tiny-random") };
var minutes = new Option<double>("--minutes") { Description = "How long faults happen.", DefaultValueFactory = _ => 10 };
var sessions = new Option<int>("--sessions") { Description = "Sessions that stream at a time.", DefaultValueFactory = _ => 64 };
var silos = new Option<int>("--silos") { Description = "Silos.", DefaultValueFactory = _ => 3 };
var gateways = new Option<int>("--gateways") { Description = "Gateways.", DefaultValueFactory = _ => 2 };
var every = new Option<double>("--every") { Description = "Seconds between faults; 0: none, only load.", DefaultValueFactory = _ => 5 };
var slots = new Option<int>("--slots") { Description = "KV slots of each silo.", DefaultValueFactory = _ => 64 };
var tokens = new Option<int>("--tokens") { Description = "Most tokens each session makes; 0: the whole image.", DefaultValueFactory = _ => 0 };
var seed = new Option<int>("--seed") { Description = "Of the schedule and of all that is asked for.", DefaultValueFactory = _ => 1 };
var faults = new Option<string[]>("--faults") { Description = "Kinds of faults that happen. Default: all.", DefaultValueFactory = _ => Enum.GetNames<FaultKind>(), AllowMultipleArgumentsPerToken = true };
faults.AcceptOnlyFromAmong(Enum.GetNames<FaultKind>());
var silo = new Option<string[]>("--silo-option") { Description = "Further option of each silo, for instance --silo-option=--threads=1.", DefaultValueFactory = _ => [] };
var folder = new Option<string?>("--folder") { Description = "Where logs and the store's data go, and stay. Default: a temporary folder, which stays if something broke." };
var json = new Option<string?>("--json") { Description = "File for the results." };
var root = new RootCommand("Runs a cluster of real processes, kills and freezes them, and checks what every client sees. Exits with 1 if anything was lost, repeated, changed or failed.")
{
    model, minutes, sessions, silos, gateways, every, slots, tokens, seed, faults, silo, folder, json,
};
root.SetAction((parsed, cancellationToken) => new ChaosProgram(new ChaosSettings(
    Path.GetFullPath(parsed.GetRequiredValue(model)),
    parsed.GetValue(minutes),
    parsed.GetValue(sessions),
    parsed.GetValue(silos),
    parsed.GetValue(gateways),
    parsed.GetValue(every),
    parsed.GetValue(slots),
    parsed.GetValue(tokens),
    parsed.GetValue(seed),
    parsed.GetRequiredValue(faults),
    parsed.GetRequiredValue(silo),
    parsed.GetValue(folder),
    parsed.GetValue(json))).RunAsync(cancellationToken));
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
