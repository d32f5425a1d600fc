using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Parallel;

var model = new Option<string?>("--model") { Description = "Checkpoint folder with a language-model head. Default: the bundled one, assets/models/shapes.", DefaultValueFactory = _ => "assets/models/shapes" };
Option<string?> preset = ChoiceOption.CreateOptional("--preset", "Random weights of a size instead of a model: nothing to be guessed.", "tiny", "small", "medium", "large");
Option<string> dtype = ChoiceOption.CreateDataType("--dtype", "Data type served:", "float32", "float32", "bfloat16", "int8");
Option<int> pictures = NumberOption.Create("--pictures", "Pictures to be guessed.", 32, 1, 4096);
Option<int> learned = NumberOption.Create("--learned", "Further pictures that the table is counted from.", 128, 1, 65_536);
var temperatures = new Option<double[]>("--temperatures") { Description = "Temperatures of the draws.", DefaultValueFactory = _ => [0.7, 1], AllowMultipleArgumentsPerToken = true };
Option<int[]> sequences = NumberOption.CreateMany("--sequences", "Sequences at once.", [1, 8, 32], 1, 4096);
Option<int> tokens = NumberOption.Create("--tokens", "Tokens each sequence makes when speed is measured.", 1023, 2, 100_000);
Option<int> rounds = NumberOption.Create("--rounds", "Rounds; medians are reported.", 3, 1, 1000);
var json = new Option<string>("--json") { Description = "File for the results.", DefaultValueFactory = _ => "perf-parallel.json" };
var picture = new Option<string>("--picture") { Description = "File for the picture, PNG.", DefaultValueFactory = _ => "perf-parallel.png" };
var root = new RootCommand("Measures exact parallel decoding: how often guesses are what is drawn, tokens per step, and speed beside decoding without guesses.")
{
    model, preset, dtype, pictures, learned, temperatures, sequences, tokens, rounds, json, picture,
};
root.SetAction((parsed, _) => ParallelProgram.RunAsync(new ParallelSettings(
    parsed.GetValue(preset) is null ? parsed.GetValue(model) : null,
    parsed.GetValue(preset) ?? "",
    parsed.GetRequiredValue(dtype),
    parsed.GetValue(pictures),
    parsed.GetValue(learned),
    parsed.GetRequiredValue(temperatures),
    parsed.GetRequiredValue(sequences),
    parsed.GetValue(tokens),
    parsed.GetValue(rounds),
    parsed.GetRequiredValue(json),
    parsed.GetRequiredValue(picture))));
return await new CommandProgram("perf/Parallel", root).RunAsync(args);
