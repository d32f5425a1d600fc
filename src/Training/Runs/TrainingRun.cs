using System.Diagnostics;
using System.Globalization;
using IgptCluster.CommandLine;
using IgptCluster.Training.Data;
using IgptCluster.Training.Reports;

namespace IgptCluster.Training.Runs;

/// <summary>Takes a task through its plan: steps, looks at held-out images, samples and saves, until it is done or asked to stop. One thread.</summary>
/// <param name="settings">How it is run.</param>
/// <param name="task">What is trained.</param>
/// <param name="data">Images to learn from.</param>
internal sealed class TrainingRun(RunSettings settings, ITrainingTask task, TokenDataset data)
{
    readonly TrainingFolder _state = new(settings.Folder);

    TrainingPlan Plan => settings.Plan;

    /// <summary>Trains.</summary>
    /// <param name="cancellationToken">Asks to stop: the step is finished and everything saved.</param>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    /// <exception cref="DataException">The state to resume does not fit, or training diverged.</exception>
    internal void Train(CancellationToken cancellationToken)
    {
        using FileStream only = _state.Lock();
        using var trainer = new Trainer(task.Network, task.Parameters, Plan, data, task.Loss);
        if (settings.Resume)
            _state.Restore(trainer);
        _state.Begin(Plan);
        using var log = new TrainingLog(settings.Folder, trainer.StepsTaken);
        using var progress = new ProgressLine("Training", Plan.Steps, trainer.StepsTaken);
        if (!settings.Resume)
            LookAtHeldOut(log, progress, step: 0);
        while (trainer.StepsTaken < Plan.Steps)
        {
            long started = Stopwatch.GetTimestamp();
            StepReport report = trainer.Step();
            Report(report, Plan.ImagesPerStep / Stopwatch.GetElapsedTime(started).TotalSeconds, log, progress);
            bool isLast = report.Step == Plan.Steps;
            if (isLast || report.Step % settings.EvaluateEvery == 0)
                LookAtHeldOut(log, progress, report.Step);
            if (settings.SampleEvery > 0 && (isLast || report.Step % settings.SampleEvery == 0))
                DrawSamples(trainer);
            if (isLast || report.Step % settings.SaveEvery == 0 || cancellationToken.IsCancellationRequested)
                Save(trainer, log);
            if (!isLast && cancellationToken.IsCancellationRequested)
            {
                progress.Note($"Stopped after step {report.Step:N0} of {Plan.Steps:N0}, which is saved: add --resume to go on");
                throw new OperationCanceledException(cancellationToken);
            }
        }

        progress.Note($"Trained {Plan.Steps:N0} steps: the checkpoint is in {settings.Folder}, the curve in loss.png, the history in log.jsonl");
    }

    void Report(StepReport report, double imagesPerSecond, TrainingLog log, ProgressLine progress)
    {
        // A joint loss is no number of bits.
        double? bits = Plan.Objective == TrainingObjective.Classify ? null : TrainingLog.BitsPerDim(report.Loss);
        string unit = bits is null ? "" : string.Create(CultureInfo.InvariantCulture, $" nats per token, {bits:0.000} bits per dimension");
        log.Add(new LogEntry
        {
            Step = report.Step,
            Loss = report.Loss,
            BitsPerDim = bits,
            LearningRate = report.LearningRate,
            GradientNorm = report.GradientNorm,
            ImagesPerSecond = imagesPerSecond,
        });
        progress.Show(report.Step, string.Create(CultureInfo.InvariantCulture, $", loss {report.Loss:0.0000}{unit}, {imagesPerSecond:0.0} images/s"));
    }

    void LookAtHeldOut(TrainingLog log, ProgressLine progress, long step)
    {
        if (task.LookAtHeldOut(step) is not { } entry)
            return;
        log.Add(entry);
        string accuracy = entry.HeldOutAccuracy is { } share ? string.Create(CultureInfo.InvariantCulture, $", {share:P1} of the classes told") : "";
        progress.Note(string.Create(CultureInfo.InvariantCulture, $"After {step:N0} steps, held-out images: loss {entry.HeldOutLoss:0.0000} nats per token, {entry.BitsPerDim:0.000} bits per dimension{accuracy}"));
    }

    void Save(Trainer trainer, TrainingLog log)
    {
        _state.Save(trainer);
        task.Write(settings.Folder, name => trainer.Optimizer[name]);
        File.WriteAllBytes(Path.Combine(settings.Folder, "loss.png"), LossCurve.Draw(log.Entries));
    }

    void DrawSamples(Trainer trainer)
    {
        if (task.DrawSamples(name => trainer.Optimizer[name]) is { } picture)
            File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(Path.Combine(settings.Folder, "samples")).FullName, $"{trainer.StepsTaken:0000000}.png"), picture);
    }
}
