using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Probing;

/// <summary>What linear classifiers read: one row of numbers an image.</summary>
internal static class PooledFeatures
{
    /// <summary>
    /// The mean over all positions of every hidden state, pixels going in without a start token: what <c>Embed</c> serves, and the linear probe of the
    /// paper (section 2.4).
    /// </summary>
    /// <param name="network">The network.</param>
    /// <param name="data">The images.</param>
    /// <param name="batchSize">Images at a time.</param>
    /// <param name="report">Told how many are done.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    /// <returns>n_layer + 1 float32 tensors [images, n_embd] on the CPU, in the caller's dispose scope.</returns>
    internal static Tensor[] OfEveryLayer(ImageGpt network, TokenDataset data, int batchSize, Action<int> report, CancellationToken cancellationToken)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor[] features = [.. Enumerable.Range(0, network.Config.LayerCount + 1).Select(_ => empty(data.Count, network.Config.EmbeddingSize))];
        for (int first = 0; first < data.Count; first += batchSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using DisposeScope batch = NewDisposeScope();
            int count = Math.Min(batchSize, data.Count - first);
            ImageGptOutput output = network.Forward(new ImageGptInput { TokenIds = data.Tokens(first, count).to(network.Device), WantsHiddenStates = true });
            for (int layer = 0; layer < features.Length; layer++)
                features[layer].narrow(0, first, count).copy_(output.HiddenStates[layer].mean([1], type: ScalarType.Float32));
            report(first + count);
        }

        return [.. features.Select(feature => feature.MoveToOuterDisposeScope())];
    }

    /// <summary>The quantised pixels themselves: red, green and blue of each in [−1, 1].</summary>
    /// <param name="data">The images.</param>
    /// <param name="clusters">The palette, 3 numbers a colour.</param>
    /// <returns>float32 [images, pixels · 3] on the CPU, in the caller's dispose scope.</returns>
    internal static Tensor OfPixels(TokenDataset data, ReadOnlySpan<double> clusters)
    {
        float[] values = new float[data.Count * data.Length * 3];
        int at = 0;
        for (int image = 0; image < data.Count; image++)
        {
            foreach (ushort token in data[image])
            {
                for (int channel = 0; channel < 3; channel++)
                    values[at++] = (float)clusters[(token * 3) + channel];
            }
        }

        return tensor(values, [data.Count, data.Length * 3]);
    }
}
