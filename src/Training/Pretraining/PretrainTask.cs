using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Reports;
using IgptCluster.Training.Runs;
using static TorchSharp.torch;

namespace IgptCluster.Training.Pretraining;

/// <summary>Generative pre-training: next pixel or BERT.</summary>
/// <param name="network">A network with the causal head; disposed with the task.</param>
/// <param name="plan">Objective, batch size, seed.</param>
/// <param name="processor">Palette and size.</param>
/// <param name="processorJson">preprocessor_config.json for the checkpoint.</param>
/// <param name="heldOut">Images to look at only; null for none.</param>
internal sealed class PretrainTask(ImageGpt network, TrainingPlan plan, ImageProcessor processor, string processorJson, TokenDataset? heldOut) : ITrainingTask
{
    const int SheetImages = 8;
    const int SheetSamples = 4;

    /// <inheritdoc/>
    public ImageGpt Network => network;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Value)> Parameters => network.Parameters;

    /// <inheritdoc/>
    public Tensor Loss(Batch batch) => Loss(batch.Tokens, batch.Seed, isTraining: true);

    /// <inheritdoc/>
    public LogEntry? LookAtHeldOut(long step)
    {
        if (heldOut is null)
            return null;

        // The BERT objective hides the same pixels at every look.
        double loss = heldOut.Mean(plan.BatchSize, (tokens, first) => Loss(tokens, seed: first, isTraining: false));
        return new LogEntry { Step = step, HeldOutLoss = loss, BitsPerDim = TrainingLog.BitsPerDim(loss) };
    }

    /// <inheritdoc/>
    public void Write(string folder, Func<string, Tensor> weight)
    {
        var content = new CheckpointContent { Config = network.Config, Architecture = network.Architecture, PreprocessorJson = processorJson };
        CheckpointWriter.Write(folder, content, shape => weight(shape.Name));
    }

    /// <inheritdoc/>
    public byte[]? DrawSamples(Func<string, Tensor> weight)
    {
        // A network that learned to fill in hidden pixels from all sides does not continue pictures.
        if (plan.Objective != TrainingObjective.NextPixel || heldOut is null)
            return null;
        TokenDataset one = heldOut.Sample(1, plan.Seed);
        TokenDataset shown = one.Subset([.. Enumerable.Range(0, Math.Min(SheetImages, one.Count))]);
        return PngEncoder.Encode(CompletionSheet.Draw(new ImageGpt(network.Config, network.Architecture, weight), shown, processor, SheetSamples, (ulong)plan.Seed));
    }

    /// <inheritdoc/>
    public void Dispose() => network.Dispose();

    Tensor Loss(Tensor tokens, int seed, bool isTraining) => plan.Objective == TrainingObjective.Bert
        ? PixelObjective.Masked(network, tokens, seed, isTraining)
        : PixelObjective.NextPixel(network, tokens, isTraining);
}
