using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace IgptCluster.Training.Finetuning;

/// <summary>
/// Fine-tuning to classes with the paper's joint loss, L_clf + λ·L_gen (section 2.3). One forward pass gives both: pixels go in without a start token, as
/// ImageGPTForImageClassification reads them; the mean of the last hidden state tells the class, each position the next pixel.
/// </summary>
internal sealed class FinetuneTask : ITrainingTask
{
    readonly TrainingPlan _plan;
    readonly string _processorJson;
    readonly TokenDataset? _heldOut;
    readonly ImageGptConfig _classifier;
    readonly Tensor _score; // [labels, E]

    /// <summary>Takes over a network.</summary>
    /// <param name="network">A network with the causal head, which L_gen needs; disposed with the task.</param>
    /// <param name="score">First classifier head, float32 [labels, n_embd]; copied.</param>
    /// <param name="labels">Names of the classes.</param>
    /// <param name="plan">λ and batch size.</param>
    /// <param name="processorJson">preprocessor_config.json for the checkpoint.</param>
    /// <param name="heldOut">Images to look at only; null for none.</param>
    internal FinetuneTask(ImageGpt network, Tensor score, IReadOnlyList<string> labels, TrainingPlan plan, string processorJson, TokenDataset? heldOut)
    {
        (Network, _plan, _processorJson, _heldOut) = (network, plan, processorJson, heldOut);
        _classifier = network.Config with { Labels = labels };
        _score = score.to(network.Dtype, network.Device, copy: true).DetachFromDisposeScope();
        Parameters = [.. network.Parameters, (WeightLayout.ClassifierHead, _score)];
    }

    /// <inheritdoc/>
    public ImageGpt Network { get; }

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    /// <inheritdoc/>
    public Tensor Loss(Batch batch)
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor classes, Tensor generative) = Forward(batch.Tokens, isTraining: true);
        using Scalar weight = _plan.GenerativeWeight;
        using Scalar one = 1;
        return cross_entropy(classes, batch.Labels).add(generative.mul(weight), one).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public LogEntry? LookAtHeldOut(long step)
    {
        if (_heldOut is null)
            return null;
        double loss = 0;
        double accuracy = _heldOut.Mean(_plan.BatchSize, (tokens, first) =>
        {
            (Tensor classes, Tensor generative) = Forward(tokens, isTraining: false);
            loss += generative.item<float>() * tokens.shape[0] / _heldOut.Count;
            Tensor labels = tensor([.. _heldOut.Labels.Skip(first).Take((int)tokens.shape[0]).Select(label => (long)label)]);
            return classes.argmax(1).eq(labels).to_type(ScalarType.Float32).mean();
        });
        return new LogEntry { Step = step, HeldOutLoss = loss, HeldOutAccuracy = accuracy, BitsPerDim = TrainingLog.BitsPerDim(loss) };
    }

    /// <inheritdoc/>
    public void Write(string folder, Func<string, Tensor> weight)
    {
        var content = new CheckpointContent { Config = _classifier, Architecture = ImageGptArchitecture.ImageClassification, PreprocessorJson = _processorJson };
        CheckpointWriter.Write(folder, content, shape => weight(shape.Name));
    }

    /// <inheritdoc/>
    public byte[]? DrawSamples(Func<string, Tensor> weight) => null;

    /// <inheritdoc/>
    public void Dispose()
    {
        _score.Dispose();
        Network.Dispose();
    }

    // Class logits [B, labels] and the mean loss of next pixels, both float32, in the caller's scope.
    (Tensor Classes, Tensor Generative) Forward(Tensor tokens, bool isTraining)
    {
        ImageGptInput input = PixelObjective.Input(Network, tokens) with { Labels = tokens, Training = isTraining };
        ImageGptOutput output = Network.Forward(input);
        return (matmul(output.LastHiddenState.mean([1]), _score.t()).to_type(ScalarType.Float32), output.Loss!);
    }
}
