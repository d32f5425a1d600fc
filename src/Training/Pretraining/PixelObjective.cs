using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace IgptCluster.Training.Pretraining;

/// <summary>The loss of generative pre-training: what is shown to the network and what it has to tell.</summary>
internal static class PixelObjective
{
    const long Ignored = -100;

    /// <summary>Share of pixels that the BERT objective hides, as in the paper (section 2.1).</summary>
    internal const double MaskedShare = 0.15;

    /// <summary>
    /// Next pixel: the start token and all pixels but the last go in, every pixel is to be told from those before it (paper, equation 1).
    /// The way <c>Score</c> and <c>Generate</c> are served.
    /// </summary>
    /// <param name="network">A network with the causal head.</param>
    /// <param name="tokens">Colour tokens, int64 [B, T].</param>
    /// <param name="isTraining">Applies dropouts.</param>
    /// <returns>Mean negative log-likelihood, nats per token: a float32 scalar in the caller's scope.</returns>
    internal static Tensor NextPixel(ImageGpt network, Tensor tokens, bool isTraining)
    {
        using DisposeScope scope = NewDisposeScope();
        ImageGptInput input = Input(network, Shift(network, tokens)) with { Training = isTraining };
        return Loss(network.Forward(input).Logits!, tokens).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// BERT: each pixel is hidden with probability 0.15, the start token's embedding in its place, and only hidden ones are to be told, from
    /// pixels on all sides (paper, equation 2).
    /// </summary>
    /// <param name="network">A network with the causal head; attends both ways here.</param>
    /// <param name="tokens">Colour tokens, int64 [B, T].</param>
    /// <param name="seed">Seed of what is hidden.</param>
    /// <param name="isTraining">Applies dropouts.</param>
    /// <returns>Mean negative log-likelihood of hidden pixels, nats per token: a float32 scalar in the caller's scope.</returns>
    internal static Tensor Masked(ImageGpt network, Tensor tokens, int seed, bool isTraining)
    {
        using DisposeScope scope = NewDisposeScope();
        var random = new Random(seed);
        bool[] hidden = [.. Enumerable.Range(0, (int)tokens.NumberOfElements).Select(_ => random.NextDouble() < MaskedShare)];
        hidden[random.Next(hidden.Length)] = true; // of small images all might be shown
        Tensor mask = tensor(hidden, tokens.shape, device: network.Device);
        using Scalar start = network.Config.StartToken;
        using Scalar ignored = Ignored;
        ImageGptInput input = Input(network, tokens.masked_fill(mask, start)) with { Bidirectional = true, Training = isTraining };
        Tensor labels = tokens.masked_fill(mask.logical_not(), ignored);
        return Loss(network.Forward(input).Logits!, labels).MoveToOuterDisposeScope();
    }

    /// <summary>The input that predicts these tokens: the start token and all but the last.</summary>
    /// <param name="network">Knows the start token.</param>
    /// <param name="tokens">Colour tokens, int64 [B, T].</param>
    /// <returns>int64 [B, T] in the caller's scope.</returns>
    internal static Tensor Shift(ImageGpt network, Tensor tokens)
    {
        using DisposeScope scope = NewDisposeScope();
        using Scalar start = network.Config.StartToken;
        Tensor first = full([tokens.shape[0], 1], start, dtype: ScalarType.Int64, device: network.Device);
        return cat([first, tokens.narrow(1, 0, tokens.shape[1] - 1)], 1).MoveToOuterDisposeScope();
    }

    /// <summary>The network's input of some tokens, embedded already where weights are 16-bit.</summary>
    /// <param name="network">The network.</param>
    /// <param name="ids">int64 [B, T].</param>
    /// <returns>Its tensors are in the caller's dispose scope.</returns>
    internal static ImageGptInput Input(ImageGpt network, Tensor ids)
    {
        if (network.Dtype == ScalarType.Float32)
            return new ImageGptInput { TokenIds = ids };

        // libtorch adds the gradients of a row's uses one by one in the row's own type, which loses those of frequent colours; a product with
        // one-hot rows adds them in float32.
        using DisposeScope scope = NewDisposeScope();
        Tensor table = network.Parameters.Single(parameter => parameter.Name == "wte.weight").Value;
        return new ImageGptInput { Embeddings = matmul(one_hot(ids, network.Config.VocabSize).to_type(network.Dtype), table).MoveToOuterDisposeScope() };
    }

    static Tensor Loss(Tensor logits, Tensor labels) =>
        cross_entropy(logits.to_type(ScalarType.Float32).reshape(-1, logits.shape[^1]), labels.flatten(), ignore_index: Ignored);
}
