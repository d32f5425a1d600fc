using System.CommandLine;
using IgptCluster.Chaos;
using IgptCluster.Chaos.Faults;
using IgptCluster.CommandLine;

var model = new Option<string>("--model") { Description = "Checkpoint folder.", DefaultValueFactory = _ => Path.Combine("tests", "models", "tiny-random") };
Option<double> minutes = NumberOption.Create("--minutes", "How long faults happen.", 10.0, 0, 10_000);
Option<int> sessions = NumberOption.Create("--sessions", "Sessions that stream at a time.", 64, 1, 100_000);
Option<int> silos = NumberOption.Create("--silos", "Silos.", 3, 1, 100);
Option<int> gateways = NumberOption.Create("--gateways", "Gateways.", 2, 1, 100);
Option<double> every = NumberOption.Create("--every", "Seconds between faults; 0: none, only load.", 5.0, 0, 86_400);
Option<int> slots = NumberOption.Create("--slots", "KV slots of each silo.", 64, 1, 4096);
Option<int> tokens = NumberOption.Create("--tokens", "Most tokens each session makes; 0: the whole image.", 0, 0, 1024);
Option<int> seed = NumberOption.Create("--seed", "Of the schedule and of all that is asked for.", 1, 0, int.MaxValue);
Option<string[]> faults = ChoiceOption.CreateMany("--faults", "Kinds of faults that happen. Default: all but Nothing.", [.. Enum.GetNames<FaultKind>().Where(name => name != nameof(FaultKind.Nothing))], Enum.GetNames<FaultKind>());
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
return await new CommandProgram("perf/Chaos", root) { Grace = TimeSpan.FromSeconds(60) }.RunAsync(args);
