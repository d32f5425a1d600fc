using System.CommandLine;
using IgptCluster.Accuracy;
using IgptCluster.CommandLine;

var model = new Option<string>("--model") { Description = "Checkpoint folder with a language-model head.", DefaultValueFactory = _ => "assets/models/shapes" };
var data = new Option<string?>("--data") { Description = "Folder of images, searched to any depth. Default: validation pictures of the shapes data set, drawn now." };
Option<int> images = NumberOption.Create("--images", "Images at most.", 60, 1, 256);
var device = new Option<string>("--device") { Description = "Where libtorch computes besides, cuda:0 for example; its float32 and bfloat16 are compared with float32 on the processor.", DefaultValueFactory = _ => "cpu" };
var json = new Option<string>("--json") { Description = "File for the results.", DefaultValueFactory = _ => "perf-accuracy.json" };
var root = new RootCommand("Compares every runner and data type with float32 by libtorch: logits, loss, greedy tokens.") { model, data, images, device, json };
root.SetAction((parsed, _) => AccuracyProgram.RunAsync(
    new AccuracySettings(parsed.GetRequiredValue(model), parsed.GetValue(data), parsed.GetValue(images), parsed.GetRequiredValue(device), parsed.GetRequiredValue(json))));
return await new CommandProgram("perf/Accuracy", root).RunAsync(args);
