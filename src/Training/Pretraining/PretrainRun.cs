using System.Diagnostics;
using System.Globalization;
using IgptCluster.Imaging;
using IgptCluster.Model;
using IgptCluster.Training.Commands;
using IgptCluster.Training.Data;
using IgptCluster.Training.Reports;
using IgptCluster.Training.Runs;
using static TorchSharp.torch;

namespace IgptCluster.Training.Pretraining;

/// <summary>One run of <c>igpt-train pretrain</c>: steps, looks at held-out images, samples and saves, until it is done or asked to stop. One thread.</summary>
/// <param name="settings">What was asked for.</param>
/// <param name="training">Images to learn from.</param>
/// <param name="heldOut">Images to look at only; null for none.</param>
/// <param name="processor">Palette and size.</param>
internal sealed class PretrainRun(PretrainSettings settings, TokenDataset training, TokenDataset? heldOut, ImageProcessor processor)
{
    const int SheetImages = 8;
    const int SheetSamples = 4;

    readonly TrainingFolder _state = new(settings.Folder);

    TrainingPlan Plan => settings.Plan;

    /// <summary>Trains.</summary>
    /// <param name="start">Weights to start from by name, float32; read only when nothing is resumed.</param>
    /// <param name="config">The network.</param>
    /// <param name="cancellationToken">Asks to stop: the step is finished and everything saved.</param>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    /// <exception cref="DataException">The state to resume does not fit, or training diverged.</exception>
    internal void Train(Func<string, Tensor> start, ImageGptConfig config, CancellationToken cancellationToken)
    {
        ScalarType dtype = Plan.DType == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        using var network = new ImageGpt(config, ImageGptArchitecture.CausalImageModeling, start, CPU, dtype);
        using var trainer = new Trainer(network, Plan, training, batch => Loss(network, batch.Tokens, batch.Seed, isTraining: true));
        if (settings.Resume)
            _state.Restore(trainer);
        else
            _state.Begin(Plan);
        using var log = new TrainingLog(settings.Folder, trainer.StepsTaken);
        if (!settings.Resume)
            LookAtHeldOut(network, log, step: 0);

        using (var progress = new ProgressLine("Training", Plan.Steps, trainer.StepsTaken))
        {
            while (trainer.StepsTaken < Plan.Steps)
            {
                long started = Stopwatch.GetTimestamp();
                StepReport report = trainer.Step();
                Report(report, Plan.ImagesPerStep / Stopwatch.GetElapsedTime(started).TotalSeconds, log, progress);
                bool isLast = report.Step == Plan.Steps;
                if (isLast || report.Step % settings.EvaluateEvery == 0)
                    LookAtHeldOut(network, log, report.Step);
                if (isLast || report.Step % settings.SaveEvery == 0 || cancellationToken.IsCancellationRequested)
                    Save(network, trainer, log);
                if (settings.SampleEvery > 0 && (isLast || report.Step % settings.SampleEvery == 0) && Plan.Objective == TrainingObjective.NextPixel)
                    DrawSamples(network, trainer, report.Step);
                if (!isLast)
                    cancellationToken.ThrowIfCancellationRequested();
            }
        }

        Console.WriteLine($"Trained {Plan.Steps:N0} steps; the checkpoint is in {settings.Folder}, the curve in loss.png, the history in log.jsonl");
    }

    Tensor Loss(ImageGpt network, Tensor tokens, int seed, bool isTraining) => Plan.Objective == TrainingObjective.Bert
        ? PixelObjective.Masked(network, tokens, seed, isTraining)
        : PixelObjective.NextPixel(network, tokens, isTraining);

    static void Report(StepReport report, double imagesPerSecond, TrainingLog log, ProgressLine progress)
    {
        double bits = PixelObjective.BitsPerDim(report.Loss);
        log.Add(new LogEntry
        {
            Step = report.Step,
            Loss = report.Loss,
            BitsPerDim = bits,
            LearningRate = report.LearningRate,
            GradientNorm = report.GradientNorm,
            ImagesPerSecond = imagesPerSecond,
        });
        progress.Show(report.Step, string.Create(CultureInfo.InvariantCulture, $", loss {report.Loss:0.0000} nats per token, {bits:0.000} bits per dimension, {imagesPerSecond:0.0} images/s"));
    }

    void LookAtHeldOut(ImageGpt network, TrainingLog log, long step)
    {
        if (heldOut is null)
            return;
        double loss = PixelObjective.MeanLoss(heldOut, Plan.BatchSize, (tokens, index) => Loss(network, tokens, seed: index, isTraining: false));
        log.Add(new LogEntry { Step = step, HeldOutLoss = loss, BitsPerDim = PixelObjective.BitsPerDim(loss) });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nAfter {step:N0} steps: {loss:0.0000} nats per token on {heldOut.Count:N0} held-out images ({PixelObjective.BitsPerDim(loss):0.000} bits per dimension)"));
    }

    void Save(ImageGpt network, Trainer trainer, TrainingLog log)
    {
        _state.Save(trainer);
        CheckpointWriter.Write(settings.Folder, settings.Content(network.Config), weight => trainer.Optimizer[weight.Name]);
        LossCurve.Write(Path.Combine(settings.Folder, "loss.png"), log.Entries);
    }

    void DrawSamples(ImageGpt network, Trainer trainer, long step)
    {
        TokenDataset shown = (heldOut ?? training).Sample(1, Plan.Seed);
        shown = shown.Subset([.. Enumerable.Range(0, Math.Min(SheetImages, shown.Count))]);
        using var copy = new ImageGpt(network.Config, network.Architecture, name => trainer.Optimizer[name]);
        RgbImage sheet = CompletionSheet.Draw(copy, shown, processor, SheetSamples, (ulong)Plan.Seed);
        File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(Path.Combine(settings.Folder, "samples")).FullName, $"{step:0000000}.png"), PngEncoder.Encode(sheet));
    }
}
