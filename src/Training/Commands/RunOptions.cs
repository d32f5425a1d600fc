using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Training.Data;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Commands;

/// <summary>The options that pre-training and fine-tuning share: data, folder, plan, and what is done on the way.</summary>
internal sealed class RunOptions
{
    readonly bool _needsClasses;
    readonly Option<DirectoryInfo> _data = new("--data") { Description = "Folder of training images, class/name.png.", Required = true };
    readonly Option<DirectoryInfo?> _heldOut = new("--held-out") { Description = "Folder of images to measure on, not to learn from." };
    readonly Option<int> _heldOutImages = NumberOption.Create("--held-out-images", "Images of --held-out at most, equally many of each class, drawn by seed.", 240, 1, int.MaxValue);
    readonly Option<DirectoryInfo> _output = new("--out") { Description = "Folder to write: a Hugging Face checkpoint, loss.png, log.jsonl, samples/, training/.", Required = true };
    readonly Option<bool> _resume = new("--resume") { Description = "Goes on where the training in --out was left, with the same options." };
    readonly Option<int> _evaluateEvery = NumberOption.Create("--evaluate-every", "Steps between looks at --held-out.", 500, 1, int.MaxValue);
    readonly Option<int> _saveEvery = NumberOption.Create("--save-every", "Steps between saves.", 250, 1, int.MaxValue);
    readonly Option<int> _sampleEvery = NumberOption.Create("--sample-every", "Steps between pictures of samples; 0 for none.", 500, 0, int.MaxValue);
    readonly Option<int> _steps;
    readonly Option<int> _batch = NumberOption.Create("--batch", "Images of a batch.", 8, 1, 65_536);
    readonly Option<int> _accumulation = NumberOption.Create("--accumulate", "Batches whose gradients make one step.", 1, 1, 100_000);
    readonly Option<double> _learningRate;
    readonly Option<double> _embeddingRate = NumberOption.Create("--embedding-rate", "Learning rate of embeddings and heads, as a share of the others'.", 0.2, 0, 100);
    readonly Option<int> _warmup = NumberOption.Create("--warmup", "Steps of linear warm-up; a cosine down to 0 follows.", 100, 0, int.MaxValue);
    readonly Option<double> _weightDecay = NumberOption.Create("--weight-decay", "Decay of matrices.", 0.01, 0, 1);
    readonly Option<double> _clip = NumberOption.Create("--clip", "Largest norm of gradients.", 1, 1e-6, 1e6);
    readonly Option<string> _dtype = ChoiceOption.CreateDataType("--dtype", "Data type of forward and backward pass, beside master weights in float32:", "float32", "float32", "bfloat16");
    readonly Option<bool> _flip = new("--flip") { Description = "Mirrors images half of the time." };
    readonly Option<int> _crop = NumberOption.Create("--crop", "Random crops of the image padded by so many reflected pixels.", 0, 0, 255);
    readonly Option<int> _seed = NumberOption.Create("--seed", "Seed: the same command gives the same losses.", 0, 0, int.MaxValue);

    internal RunOptions(int steps, double learningRate, bool needsClasses)
    {
        _needsClasses = needsClasses;
        _steps = NumberOption.Create("--steps", "Optimiser steps.", steps, 1, int.MaxValue);
        _learningRate = NumberOption.Create("--learning-rate", "Highest learning rate.", learningRate, 1e-9, 10);
    }

    internal void AddTo(Command command)
    {
        Option[] all =
        [
            _data, _heldOut, _heldOutImages, _output, _resume, _steps, _batch, _accumulation, _learningRate, _embeddingRate, _warmup, _weightDecay, _clip, _dtype, _flip,
            _crop, _seed, _evaluateEvery, _saveEvery, _sampleEvery,
        ];
        foreach (Option option in all)
            command.Add(option);
    }

    /// <summary>What was asked for; makes the folder to write.</summary>
    /// <exception cref="DataException">The folder is not empty, or what is to be resumed does not fit.</exception>
    internal RunSettings Settings(ParseResult parsed, TrainingObjective objective, double generativeWeight = 0)
    {
        DirectoryInfo folder = parsed.GetRequiredValue(_output);
        TrainingPlan plan = Plan(parsed, objective) with { GenerativeWeight = generativeWeight };
        if (parsed.GetValue(_resume))
            new TrainingFolder(folder.FullName).RequireSame(plan);
        else
            CommandRun.RequireEmpty(folder, force: false);
        folder.Create();
        return new RunSettings
        {
            Folder = folder.FullName,
            Plan = plan,
            Resume = parsed.GetValue(_resume),
            EvaluateEvery = parsed.GetValue(_evaluateEvery),
            SaveEvery = parsed.GetValue(_saveEvery),
            SampleEvery = parsed.GetValue(_sampleEvery),
        };
    }

    /// <summary>The images to learn from.</summary>
    internal TokenDataset Training(ParseResult parsed, ImageProcessor processor, CancellationToken cancellationToken) =>
        Loading.Load(parsed.GetRequiredValue(_data).FullName, processor, _needsClasses, cancellationToken);

    /// <summary>The images to look at; null where none were named.</summary>
    /// <exception cref="DataException">Their classes are not those of the training images.</exception>
    internal TokenDataset? HeldOut(ParseResult parsed, ImageProcessor processor, TokenDataset training, CancellationToken cancellationToken)
    {
        if (parsed.GetValue(_heldOut) is not { } folder)
            return null;
        TokenDataset all = Loading.Load(folder.FullName, processor, _needsClasses, cancellationToken);
        if (_needsClasses)
            all.RequireClasses(training.Classes, folder.FullName);
        return all.Sample(Math.Max(1, parsed.GetValue(_heldOutImages) / Math.Max(1, all.Classes.Count)), parsed.GetValue(_seed));
    }

    TrainingPlan Plan(ParseResult parsed, TrainingObjective objective) => new()
    {
        Objective = objective,
        Steps = parsed.GetValue(_steps),
        BatchSize = parsed.GetValue(_batch),
        Accumulation = parsed.GetValue(_accumulation),
        LearningRate = parsed.GetValue(_learningRate),
        EmbeddingRate = parsed.GetValue(_embeddingRate),
        WarmupSteps = parsed.GetValue(_warmup),
        WeightDecay = parsed.GetValue(_weightDecay),
        MaxGradientNorm = parsed.GetValue(_clip),
        DType = parsed.GetRequiredValue(_dtype) == "bfloat16" ? "bf16" : "f32",
        Flip = parsed.GetValue(_flip),
        CropPadding = parsed.GetValue(_crop),
        Seed = parsed.GetValue(_seed),
    };
}
