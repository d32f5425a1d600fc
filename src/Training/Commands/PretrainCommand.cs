using System.CommandLine;
using System.Globalization;
using IgptCluster.Imaging;
using IgptCluster.Model;
using IgptCluster.Training.Data;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train pretrain</c>: next-pixel or BERT pre-training from random weights or a checkpoint.</summary>
internal sealed class PretrainCommand : Command
{
    readonly Option<DirectoryInfo> _data = new("--data") { Description = "Folder of training images, class/name.png or plain.", Required = true };
    readonly Option<DirectoryInfo?> _heldOut = new("--held-out") { Description = "Folder of images to measure the loss on, not to learn from." };
    readonly Option<int> _heldOutImages = CommandRun.Whole("--held-out-images", "Images of --held-out at most, equally many of each class, drawn by seed.", 240, 1, int.MaxValue);
    readonly Option<DirectoryInfo?> _palette = new("--palette") { Description = "Folder with preprocessor_config.json, as igpt-train palette writes it. Default: --start's." };
    readonly Option<DirectoryInfo?> _start = new("--start") { Description = "Checkpoint whose weights and sizes to start from, instead of random ones." };
    readonly Option<DirectoryInfo> _output = new("--out") { Description = "Folder to write: a Hugging Face checkpoint, loss.png, log.jsonl, samples/, training/.", Required = true };
    readonly Option<bool> _resume = new("--resume") { Description = "Goes on where the training in --out was left, with the same options." };
    readonly Option<string> _objective = CommandRun.OneOf("--objective", "next-pixel, or bert: 15 % of the pixels hidden.", "next-pixel", "next-pixel", "bert");
    readonly Option<int> _layers = CommandRun.Whole("--layers", "Transformer blocks.", 8, 1, 1000);
    readonly Option<int> _width = CommandRun.Whole("--width", "Width of a hidden state, n_embd.", 128, 8, 65_536);
    readonly Option<int> _heads = CommandRun.Whole("--heads", "Attention heads; divides the width.", 4, 1, 1024);
    readonly TrainingOptions _training = new(steps: 10_000, batch: 16, learningRate: 0.003, warmup: 200);
    readonly Option<int> _evaluateEvery = CommandRun.Whole("--evaluate-every", "Steps between looks at --held-out.", 250, 1, int.MaxValue);
    readonly Option<int> _saveEvery = CommandRun.Whole("--save-every", "Steps between saves.", 250, 1, int.MaxValue);
    readonly Option<int> _sampleEvery = CommandRun.Whole("--sample-every", "Steps between contact sheets of samples; 0 for none.", 1000, 0, int.MaxValue);

    internal PretrainCommand()
        : base("pretrain", "Trains a network to tell pixels from others.")
    {
        foreach (Option option in new Option[] { _data, _heldOut, _heldOutImages, _palette, _start, _output, _resume, _objective, _layers, _width, _heads, _evaluateEvery, _saveEvery, _sampleEvery })
            Add(option);
        _training.AddTo(this);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        string folder = parsed.GetRequiredValue(_output).FullName;
        bool resume = parsed.GetValue(_resume);
        TrainingPlan plan = _training.Plan(parsed, parsed.GetRequiredValue(_objective) == "bert" ? TrainingObjective.Bert : TrainingObjective.NextPixel);
        if (resume)
            new TrainingFolder(folder).RequireSame(plan);
        else
            CommandRun.RequireEmpty(new DirectoryInfo(folder), force: false);
        LibTorch.Prepare();
        using Checkpoint? start = parsed.GetValue(_start) is { } given ? Checkpoint.Open(given.FullName) : null;
        string json = ProcessorOf(parsed, start, out ImageProcessor processor);
        ImageGptConfig config = start is null ? Config(parsed, processor) : NoDropout(start.Config);
        processor.RequireFit(config.VocabSize - 1, config.PositionCount);
        TokenDataset training = DataLoading.Load(parsed.GetRequiredValue(_data).FullName, processor, needsClasses: false, cancellationToken);
        TokenDataset? heldOut = HeldOut(parsed, processor, cancellationToken);
        var weights = new StartWeights(config, ImageGptArchitecture.CausalImageModeling, start, plan.Seed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{weights.Count:N0} weights, {config.LayerCount} layers of {config.EmbeddingSize}; {training.Count:N0} images, {plan.Steps:N0} steps of {plan.ImagesPerStep}"));
        var settings = new PretrainSettings
        {
            Folder = Directory.CreateDirectory(folder).FullName,
            Plan = plan,
            Resume = resume,
            EvaluateEvery = parsed.GetValue(_evaluateEvery),
            SaveEvery = parsed.GetValue(_saveEvery),
            SampleEvery = parsed.GetValue(_sampleEvery),
            ProcessorJson = json,
        };
        new PretrainRun(settings, training, heldOut, processor).Train(weights.Load, config, cancellationToken);
        return 0;
    }

    TokenDataset? HeldOut(ParseResult parsed, ImageProcessor processor, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(_heldOut) is not { } folder)
            return null;
        TokenDataset all = DataLoading.Load(folder.FullName, processor, needsClasses: false, cancellationToken);
        return all.Sample(Math.Max(1, parsed.GetValue(_heldOutImages) / Math.Max(1, all.Classes.Count)), parsed.GetValue(_training.Seed));
    }

    string ProcessorOf(ParseResult parsed, Checkpoint? start, out ImageProcessor processor)
    {
        string source = parsed.GetValue(_palette)?.FullName ?? start?.Folder ?? throw new DataException("name the palette's folder with --palette (igpt-train palette makes one), or a checkpoint with --start");
        string path = Path.Combine(source, "preprocessor_config.json");
        if (!File.Exists(path))
            throw new DataException($"{path}: there is no such file; igpt-train palette makes one");
        string json = File.ReadAllText(path);
        processor = ImageProcessor.Parse(json, path);
        return json;
    }

    ImageGptConfig Config(ParseResult parsed, ImageProcessor processor)
    {
        ImageGptConfig config = NoDropout(new ImageGptConfig
        {
            VocabSize = processor.Palette.Count + 1,
            PositionCount = processor.Width * processor.Height,
            EmbeddingSize = parsed.GetValue(_width),
            LayerCount = parsed.GetValue(_layers),
            HeadCount = parsed.GetValue(_heads),
        });
        string[] problems = [.. config.Problems()];
        return problems.Length == 0 ? config : throw new DataException($"--width, --heads: {string.Join("; ", problems)}");
    }

    // As the paper: dropout did not help pre-training.
    static ImageGptConfig NoDropout(ImageGptConfig config) => config with { EmbeddingDropout = 0, ResidualDropout = 0, AttentionDropout = 0 };
}
