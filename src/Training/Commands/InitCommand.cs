using System.CommandLine;
using System.Diagnostics;
using IgptCluster.CommandLine;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Palettes;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train init</c>: a checkpoint of random weights, for benchmarks and as a start of training.</summary>
internal static class InitCommand
{
    static readonly Dictionary<string, ImageGptArchitecture> Architectures = new()
    {
        ["causal"] = ImageGptArchitecture.CausalImageModeling,
        ["classifier"] = ImageGptArchitecture.ImageClassification,
        ["model"] = ImageGptArchitecture.Model,
    };

    static readonly Dictionary<string, ScalarType> DTypes = new()
    {
        ["float32"] = ScalarType.Float32,
        ["bfloat16"] = ScalarType.BFloat16,
        ["float16"] = ScalarType.Float16,
    };

    internal static Command Create()
    {
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write.", Required = true };
        Option<string> preset = ChoiceOption.Create("--preset", "Size of the model, as in the paper; tiny is for trials:", "small", "tiny", "small", "medium", "large", "xl");
        Option<string> architecture = ChoiceOption.Create("--architecture", "Which heads it has:", "causal", [.. Architectures.Keys]);
        Option<string> dtype = ChoiceOption.CreateDataType("--dtype", "Data type of the weights:", "float32", [.. DTypes.Keys]);
        Option<int> seed = NumberOption.Create("--seed", "Seed: the same seed gives the same bytes.", 0, int.MinValue, int.MaxValue);
        Option<int> labels = NumberOption.Create("--labels", "Number of classes of a classifier.", 10, 1, 100_000);
        var force = new Option<bool>("--force") { Description = "Writes into a folder that is not empty." };
        var command = new Command("init", "Writes a checkpoint of random weights that Hugging Face reads.") { output, preset, architecture, dtype, seed, labels, force };
        command.Does((parsed, _) =>
        {
            DirectoryInfo folder = parsed.GetRequiredValue(output);
            CommandRun.RequireEmpty(folder, parsed.GetValue(force));
            ImageGptArchitecture kind = Architectures[parsed.GetRequiredValue(architecture)];
            ImageGptConfig config = ImageGptConfig.Preset(parsed.GetRequiredValue(preset));
            if (kind == ImageGptArchitecture.ImageClassification)
                config = config with { Labels = [.. Enumerable.Range(0, parsed.GetValue(labels)).Select(i => $"LABEL_{i}")] };
            return Write(folder.FullName, config, kind, DTypes[parsed.GetRequiredValue(dtype)], parsed.GetValue(seed));
        });
        return command;
    }

    static int Write(string folder, ImageGptConfig config, ImageGptArchitecture architecture, ScalarType dtype, int seed)
    {
        var watch = Stopwatch.StartNew();
        LibTorch.Prepare();
        var content = new CheckpointContent
        {
            Config = config,
            Architecture = architecture,
            DType = dtype,
            PreprocessorJson = ProcessorJson.Write(GridPalette.Clusters(config.VocabSize - 1), side: 32),
            Card = $"# Random ImageGPT\n\nRandom weights (seed {seed}), made by `igpt-train init`: for benchmarks and as a start of training. It has learned nothing.\n",
        };
        CheckpointWriter.Write(folder, content, new RandomWeights(config, seed).Make);
        long parameters = WeightLayout.Of(config, architecture).Sum(weight => weight.Count);
        Console.WriteLine(
            $"Wrote {parameters:N0} random weights ({CheckpointWriter.NameOf(dtype)}, seed {seed}, {config.LayerCount} layers of {config.EmbeddingSize}) to {folder} in {watch.Elapsed.TotalSeconds:0.0} s");
        return 0;
    }
}
