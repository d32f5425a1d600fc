using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.TrainingSpeed;

Option<int> layers = NumberOption.Create("--layers", "Transformer blocks.", 6, 1, 1000);
Option<int> width = NumberOption.Create("--width", "n_embd.", 192, 8, 65_536);
Option<int> heads = NumberOption.Create("--heads", "Attention heads.", 3, 1, 1024);
Option<int> batch = NumberOption.Create("--batch", "Images of a batch.", 8, 1, 65_536);
Option<int> steps = NumberOption.Create("--steps", "Steps; the first quarter warms up and does not count.", 24, 4, 1_000_000);
var json = new Option<string>("--json") { Description = "Where to write the results.", DefaultValueFactory = _ => "training-speed.json" };
var root = new RootCommand("Measures images/s of pre-training in f32 and bf16, beside what the machine's matrix products allow.") { layers, width, heads, batch, steps, json };
root.SetAction(parsed => SpeedProgram.Run(new SpeedSettings(
    parsed.GetValue(layers), parsed.GetValue(width), parsed.GetValue(heads), parsed.GetValue(batch), parsed.GetValue(steps), parsed.GetRequiredValue(json))));
return await new CommandProgram("perf/TrainingSpeed", root).RunAsync(args);
