using IgptCluster.Model;
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
        Tensor input = Shift(network, tokens);
        return Loss(network.Forward(new ImageGptInput { TokenIds = input, Training = isTraining }).Logits!, tokens).MoveToOuterDisposeScope();
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
        Tensor mask = tensor(hidden, tokens.shape, device: network.Device);
        using Scalar start = network.Config.StartToken;
        using Scalar ignored = Ignored;
        Tensor input = tokens.masked_fill(mask, start);
        Tensor labels = tokens.masked_fill(mask.logical_not(), ignored);
        return Loss(network.Forward(new ImageGptInput { TokenIds = input, Bidirectional = true, Training = isTraining }).Logits!, labels).MoveToOuterDisposeScope();
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

    static Tensor Loss(Tensor logits, Tensor labels) =>
        cross_entropy(logits.to_type(ScalarType.Float32).reshape(-1, logits.shape[^1]), labels.flatten(), ignore_index: Ignored);
}
