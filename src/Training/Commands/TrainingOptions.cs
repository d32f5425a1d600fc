using System.CommandLine;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Commands;

/// <summary>The options that pre-training and fine-tuning share.</summary>
internal sealed class TrainingOptions
{
    readonly Option<int> _steps;
    readonly Option<int> _batch;
    readonly Option<int> _accumulation = CommandRun.Whole("--accumulate", "Batches whose gradients make one step.", 1, 1, 100_000);
    readonly Option<double> _learningRate;
    readonly Option<int> _warmup;
    readonly Option<double> _weightDecay = CommandRun.Number("--weight-decay", "Decay of matrices.", 0.01, 0, 1);
    readonly Option<double> _clip = CommandRun.Number("--clip", "Largest norm of gradients.", 1, 1e-6, 1e6);
    readonly Option<string> _dtype = CommandRun.OneOf("--dtype", "Number type of forward and backward pass; master weights are f32.", "f32", "f32", "bf16");
    readonly Option<bool> _flip = new("--flip") { Description = "Mirrors images half of the time." };
    readonly Option<int> _crop = CommandRun.Whole("--crop", "Random crops of the image padded by so many reflected pixels.", 0, 0, 255);
    internal Option<int> Seed { get; } = CommandRun.Whole("--seed", "Seed: the same command gives the same losses.", 0, 0, int.MaxValue);

    internal TrainingOptions(int steps, int batch, double learningRate, int warmup)
    {
        _steps = CommandRun.Whole("--steps", "Optimiser steps.", steps, 1, int.MaxValue);
        _batch = CommandRun.Whole("--batch", "Images of a batch.", batch, 1, 65_536);
        _learningRate = CommandRun.Number("--learning-rate", "Highest learning rate.", learningRate, 1e-9, 10);
        _warmup = CommandRun.Whole("--warmup", "Steps of linear warm-up; a cosine down to 0 follows.", warmup, 0, int.MaxValue);
    }

    internal void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _steps, _batch, _accumulation, _learningRate, _warmup, _weightDecay, _clip, _dtype, _flip, _crop, Seed })
            command.Add(option);
    }

    internal TrainingPlan Plan(ParseResult parsed, TrainingObjective objective) => new()
    {
        Objective = objective,
        Steps = parsed.GetValue(_steps),
        BatchSize = parsed.GetValue(_batch),
        Accumulation = parsed.GetValue(_accumulation),
        LearningRate = parsed.GetValue(_learningRate),
        WarmupSteps = parsed.GetValue(_warmup),
        WeightDecay = parsed.GetValue(_weightDecay),
        MaxGradientNorm = parsed.GetValue(_clip),
        DType = parsed.GetRequiredValue(_dtype),
        Flip = parsed.GetValue(_flip),
        CropPadding = parsed.GetValue(_crop),
        Seed = parsed.GetValue(Seed),
    };
}
