using TorchSharp;

namespace IgptCluster.Model.Torch;

/// <summary>
/// Results of one <see cref="ImageGpt.Forward"/>, on the network's device and in its dtype. They belong to the caller's dispose
/// scope if there is one; <see cref="Dispose"/> frees them at once.
/// </summary>
public sealed record ImageGptOutput : IDisposable
{
    /// <summary>Output of the last block after the final norm, [B, T, n_embd].</summary>
    public required torch.Tensor LastHiddenState { get; init; }

    /// <summary>Causal: [B, T, colours] (tied embeddings: [B, T, vocabulary]); classifier: [B, labels]; null without a head.</summary>
    public torch.Tensor? Logits { get; init; }

    /// <summary>Scalar; null without labels. NaN where no label counts, as in Hugging Face.</summary>
    public torch.Tensor? Loss { get; init; }

    /// <summary>
    /// n_layer + 1 tensors [B, T, n_embd]: 0 the embeddings, i the input of block i, the last <see cref="LastHiddenState"/>; empty unless wanted.
    /// </summary>
    public IReadOnlyList<torch.Tensor> HiddenStates { get; init; } = [];

    /// <summary>n_layer tensors of attention probabilities [B, n_head, T, past + T]; empty unless wanted.</summary>
    public IReadOnlyList<torch.Tensor> Attentions { get; init; } = [];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (torch.Tensor tensor in Tensors())
        {
            tensor.Dispose();
        }
    }

    internal ImageGptOutput MoveToOuterScope()
    {
        foreach (torch.Tensor tensor in Tensors())
        {
            tensor.MoveToOuterDisposeScope();
        }

        return this;
    }

    // The last hidden state is among the hidden states too: each tensor once.
    IEnumerable<torch.Tensor> Tensors() =>
        new[] { LastHiddenState, Logits, Loss }.OfType<torch.Tensor>().Concat(HiddenStates).Concat(Attentions)
            .Distinct(ReferenceEqualityComparer.Instance).Cast<torch.Tensor>();
}
