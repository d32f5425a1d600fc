using System.CommandLine;
using IgptCluster.TrainingSpeed;

var layers = new Option<int>("--layers") { Description = "Transformer blocks.", DefaultValueFactory = _ => 6 };
var width = new Option<int>("--width") { Description = "n_embd.", DefaultValueFactory = _ => 192 };
var heads = new Option<int>("--heads") { Description = "Attention heads.", DefaultValueFactory = _ => 3 };
var batch = new Option<int>("--batch") { Description = "Images of a batch.", DefaultValueFactory = _ => 8 };
var steps = new Option<int>("--steps") { Description = "Steps; the first quarter warms up and does not count.", DefaultValueFactory = _ => 24 };
var json = new Option<string>("--json") { Description = "Where to write the results.", DefaultValueFactory = _ => "training-speed.json" };
var root = new RootCommand("Measures images/s of pre-training in f32 and bf16, beside what the machine's matrix products allow.") { layers, width, heads, batch, steps, json };
root.SetAction(parsed => SpeedProgram.Run(new SpeedSettings(
    parsed.GetValue(layers), parsed.GetValue(width), parsed.GetValue(heads), parsed.GetValue(batch), parsed.GetValue(steps), parsed.GetRequiredValue(json))));
return root.Parse(args).Invoke();
