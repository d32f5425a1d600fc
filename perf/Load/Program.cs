using System.CommandLine;
using IgptCluster.Load;

var model = new Option<string?>("--model") { Description = "Checkpoint folder with a language-model head. Default: random weights of --preset." };
var preset = new Option<string>("--preset") { Description = "Size of the random weights.", DefaultValueFactory = _ => "small" };
preset.AcceptOnlyFromAmong("tiny", "small", "medium", "large");
var dtype = new Option<string>("--dtype") { Description = "Data type served.", DefaultValueFactory = _ => "float32" };
dtype.AcceptOnlyFromAmong("float32", "bfloat16", "int8");
var cache = new Option<string?>("--kv-dtype") { Description = "Data type of the KV cache. Default: as the weights, bfloat16 with int8." };
cache.AcceptOnlyFromAmong("float32", "bfloat16", "int8");
var sessions = new Option<int[]>("--sessions") { Description = "Concurrent sessions.", DefaultValueFactory = _ => [1, 8, 32, 64], AllowMultipleArgumentsPerToken = true };
var positions = new Option<int[]>("--positions") { Description = "Mean positions to decode at.", DefaultValueFactory = _ => [32, 512, 992], AllowMultipleArgumentsPerToken = true };
var tokens = new Option<int>("--tokens") { Description = "Tokens each session makes, 2 … 64.", DefaultValueFactory = _ => 40 };
var rounds = new Option<int>("--rounds") { Description = "Rounds; medians are reported.", DefaultValueFactory = _ => 3 };
var device = new Option<string>("--device") { Description = "cpu, or cuda for the first CUDA device.", DefaultValueFactory = _ => "cpu" };
device.AcceptOnlyFromAmong("cpu", "cuda");
var json = new Option<string>("--json") { Description = "File for the results.", DefaultValueFactory = _ => "perf-load.json" };
var picture = new Option<string>("--picture") { Description = "File for the roofline, PNG.", DefaultValueFactory = _ => "perf-load.png" };
var soak = new Option<int>("--soak") { Description = "Further steps, to see whether memory grows.", DefaultValueFactory = _ => 0 };
var root = new RootCommand("Measures the engine in this process and a silo over gRPC, beside this machine's limits measured in the same run.") { model, preset, device, dtype, cache, sessions, positions, tokens, rounds, soak, json, picture };
root.SetAction((parsed, _) => LoadProgram.RunAsync(new LoadSettings(
    parsed.GetValue(model),
    parsed.GetRequiredValue(preset),
    parsed.GetRequiredValue(device),
    parsed.GetRequiredValue(dtype),
    parsed.GetValue(cache),
    parsed.GetRequiredValue(sessions),
    parsed.GetRequiredValue(positions),
    parsed.GetValue(tokens),
    parsed.GetValue(rounds),
    parsed.GetValue(soak),
    parsed.GetRequiredValue(json),
    parsed.GetRequiredValue(picture))));
return await root.Parse(args).InvokeAsync();
