using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Probing;

/// <summary>A linear classifier of features.</summary>
/// <param name="Weight">[classes, width] row by row.</param>
/// <param name="Bias">[classes].</param>
/// <param name="Width">Features of an image.</param>
internal sealed record LinearClassifier(float[] Weight, float[] Bias, int Width)
{
    /// <summary>The most likely class of each image.</summary>
    /// <param name="features">float32 [images, width] on the CPU.</param>
    internal int[] Predict(Tensor features)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor logits = addmm(tensor(Bias), features, tensor(Weight, [Bias.Length, Width]).t(), 1, 1);
        return Array.ConvertAll(logits.argmax(1).data<long>().ToArray(), label => (int)label);
    }

    /// <summary>Share of images whose class is told.</summary>
    /// <param name="features">float32 [images, width].</param>
    /// <param name="labels">Their classes.</param>
    internal double Accuracy(Tensor features, IReadOnlyList<int> labels) =>
        Predict(features).Zip(labels).Count(pair => pair.First == pair.Second) / (double)labels.Count;
}
