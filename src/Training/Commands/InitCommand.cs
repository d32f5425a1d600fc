using System.CommandLine;
using System.Diagnostics;
using IgptCluster.Model;
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
        ["f32"] = ScalarType.Float32,
        ["bf16"] = ScalarType.BFloat16,
        ["f16"] = ScalarType.Float16,
    };

    internal static Command Create()
    {
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write.", Required = true };
        Option<string> preset = OneOf("--preset", "Size of the model, as in the paper; tiny is for trials.", "small", ["tiny", "small", "medium", "large", "xl"]);
        Option<string> architecture = OneOf("--architecture", "Which heads it has.", "causal", [.. Architectures.Keys]);
        Option<string> dtype = OneOf("--dtype", "Data type of the weights.", "f32", [.. DTypes.Keys]);
        var seed = new Option<int>("--seed") { Description = "Seed: the same seed gives the same bytes.", DefaultValueFactory = _ => 0 };
        var labels = new Option<int>("--labels") { Description = "Number of classes of a classifier.", DefaultValueFactory = _ => 10 };
        labels.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 100_000)
            {
                result.AddError($"--labels must be 1 … 100000; given {result.GetValueOrDefault<int>()}");
            }
        });
        var force = new Option<bool>("--force") { Description = "Writes into a folder that is not empty." };
        var command = new Command("init", "Writes a checkpoint of random weights that Hugging Face reads.") { output, preset, architecture, dtype, seed, labels, force };
        command.SetAction(parsed =>
        {
            DirectoryInfo folder = parsed.GetRequiredValue(output);
            if (!parsed.GetValue(force) && folder.Exists && folder.EnumerateFileSystemInfos().Any())
            {
                Console.Error.WriteLine($"igpt-train init: {folder.FullName} is not empty: name another folder or add --force");
                return 2;
            }

            ImageGptArchitecture kind = Architectures[parsed.GetRequiredValue(architecture)];
            ImageGptConfig config = ImageGptConfig.Preset(parsed.GetRequiredValue(preset));
            if (kind == ImageGptArchitecture.ImageClassification)
            {
                config = config with { Labels = [.. Enumerable.Range(0, parsed.GetValue(labels)).Select(i => $"LABEL_{i}")] };
            }

            return Write(folder.FullName, config, kind, DTypes[parsed.GetRequiredValue(dtype)], parsed.GetValue(seed));
        });
        return command;
    }

    static int Write(string folder, ImageGptConfig config, ImageGptArchitecture architecture, ScalarType dtype, int seed)
    {
        var watch = Stopwatch.StartNew();
        try
        {
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
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"igpt-train init: {failure.Message}");
            return 1;
        }

        long parameters = WeightLayout.Of(config, architecture).Sum(weight => weight.Count);
        Console.WriteLine(
            $"Wrote {parameters:N0} random weights ({CheckpointWriter.NameOf(dtype)}, seed {seed}, {config.LayerCount} layers of {config.EmbeddingSize}) to {folder} in {watch.Elapsed.TotalSeconds:0.0} s");
        return 0;
    }

    static Option<string> OneOf(string name, string description, string otherwise, string[] values)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => otherwise };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
