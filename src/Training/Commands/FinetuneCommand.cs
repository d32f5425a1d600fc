using System.CommandLine;
using System.Globalization;
using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Finetuning;
using IgptCluster.Training.Runs;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train finetune</c>: a classifier of all weights, from a pre-trained checkpoint.</summary>
internal sealed class FinetuneCommand : Command
{
    readonly Option<DirectoryInfo> _model = new("--model") { Description = "Pre-trained checkpoint with a language-model head.", Required = true };
    readonly Option<double> _generative = NumberOption.Create("--generative-weight", "λ of the joint loss L_clf + λ·L_gen.", 0.5, 0, 1000);
    readonly RunOptions _run = new(steps: 800, learningRate: 0.0005, needsClasses: true);

    internal FinetuneCommand()
        : base("finetune", "Trains a classifier from a pre-trained checkpoint; writes an ImageGPTForImageClassification folder.")
    {
        Add(_model);
        Add(_generative);
        _run.AddTo(this);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        RunSettings settings = _run.Settings(parsed, TrainingObjective.Classify, parsed.GetValue(_generative)) with { SampleEvery = 0 };
        LibTorch.Prepare();
        using Checkpoint start = Checkpoint.Open(parsed.GetRequiredValue(_model).FullName);
        if (start.Architecture != ImageGptArchitecture.CausalImageModeling)
            throw new DataException($"{start.Folder}: fine-tuning starts from an ImageGPTForCausalImageModeling, whose head the generative loss needs; given {start.Architecture}");
        ImageProcessor processor = ModelFiles.Processor(start.Folder, out string json);
        ImageGptConfig config = start.Config.WithoutDropout();
        processor.RequireFit(config.VocabSize - 1, config.PositionCount);
        TokenDataset training = _run.Training(parsed, processor, cancellationToken);
        TokenDataset? heldOut = _run.HeldOut(parsed, processor, training, cancellationToken);
        var weights = new StartWeights(config, start.Architecture, processor, start, settings.Plan.Seed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{weights.Count:N0} weights; {training.Count:N0} images of {training.Classes.Count} classes, {settings.Plan.Steps:N0} steps of {settings.Plan.ImagesPerStep}"));
        var network = new ImageGpt(config, start.Architecture, weights.Load, CPU, settings.Plan.ScalarType);
        using Tensor score = new RandomWeights(config, settings.Plan.Seed).Make(new WeightShape(WeightLayout.ClassifierHead, [training.Classes.Count, config.EmbeddingSize]));
        using var task = new FinetuneTask(network, score, training.Classes, settings.Plan, json, heldOut);
        new TrainingRun(settings, task, training).Train(cancellationToken);
        return 0;
    }
}
