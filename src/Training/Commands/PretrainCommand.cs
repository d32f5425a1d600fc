using System.CommandLine;
using System.Globalization;
using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train pretrain</c>: next-pixel or BERT pre-training from random weights or a checkpoint.</summary>
internal sealed class PretrainCommand : Command
{
    readonly Option<DirectoryInfo?> _palette = new("--palette") { Description = "Folder with preprocessor_config.json, as igpt-train palette writes it. Default: --start's." };
    readonly Option<DirectoryInfo?> _start = new("--start") { Description = "Checkpoint whose weights and sizes to start from, instead of random ones." };
    readonly Option<string> _objective = ChoiceOption.Create("--objective", "What is learned; bert hides 15 % of the pixels:", "next-pixel", "next-pixel", "bert");
    readonly Option<int> _layers = NumberOption.Create("--layers", "Transformer blocks.", 6, 1, 1000);
    readonly Option<int> _width = NumberOption.Create("--width", "Width of a hidden state, n_embd.", 192, 8, 65_536);
    readonly Option<int> _heads = NumberOption.Create("--heads", "Attention heads; divides the width.", 3, 1, 1024);
    readonly RunOptions _run = new(steps: 4000, learningRate: 0.002, needsClasses: false);

    internal PretrainCommand()
        : base("pretrain", "Trains a network to tell pixels from others.")
    {
        foreach (Option option in new Option[] { _palette, _start, _objective, _layers, _width, _heads })
            Add(option);
        _run.AddTo(this);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        RunSettings settings = _run.Settings(parsed, parsed.GetRequiredValue(_objective) == "bert" ? TrainingObjective.Bert : TrainingObjective.NextPixel);
        LibTorch.Prepare();
        using Checkpoint? start = parsed.GetValue(_start) is { } given ? Checkpoint.Open(given.FullName) : null;
        string source = parsed.GetValue(_palette)?.FullName ?? start?.Folder ?? throw new DataException("name the palette's folder with --palette (igpt-train palette makes one), or a checkpoint with --start");
        ImageProcessor processor = ModelFiles.Processor(source, out string json);
        ImageGptConfig config = (start?.Config ?? Config(parsed, processor)).WithoutDropout();
        processor.RequireFit(config.VocabSize - 1, config.PositionCount);
        TokenDataset training = _run.Training(parsed, processor, cancellationToken);
        TokenDataset? heldOut = _run.HeldOut(parsed, processor, training, cancellationToken);
        var weights = new StartWeights(config, ImageGptArchitecture.CausalImageModeling, processor, start, settings.Plan.Seed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{weights.Count:N0} weights, {config.LayerCount} layers of {config.EmbeddingSize}; {training.Count:N0} images, {settings.Plan.Steps:N0} steps of {settings.Plan.ImagesPerStep}"));
        var network = new ImageGpt(config, ImageGptArchitecture.CausalImageModeling, weights.Load, CPU, settings.Plan.ScalarType);
        using var task = new PretrainTask(network, settings.Plan, processor, json, heldOut);
        new TrainingRun(settings, task, training).Train(cancellationToken);
        return 0;
    }

    ImageGptConfig Config(ParseResult parsed, ImageProcessor processor)
    {
        var config = new ImageGptConfig
        {
            VocabSize = processor.Palette.Count + 1,
            PositionCount = processor.Width * processor.Height,
            EmbeddingSize = parsed.GetValue(_width),
            LayerCount = parsed.GetValue(_layers),
            HeadCount = parsed.GetValue(_heads),
        };
        string[] problems = [.. config.Problems()];
        return problems.Length == 0 ? config : throw new DataException($"--width, --heads: {string.Join("; ", problems)}");
    }
}
