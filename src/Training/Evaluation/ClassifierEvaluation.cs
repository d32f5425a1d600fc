using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Probing;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Evaluation;

/// <summary>What a classifier says of labelled images.</summary>
internal sealed class ClassifierEvaluation
{
    readonly int[,] _counts;

    ClassifierEvaluation(IReadOnlyList<string> classes, IReadOnlyList<int> labels, IReadOnlyList<int> told)
    {
        Classes = classes;
        _counts = new int[classes.Count, classes.Count];
        for (int i = 0; i < labels.Count; i++)
            _counts[labels[i], told[i]]++;
    }

    /// <summary>Names of the classes.</summary>
    internal IReadOnlyList<string> Classes { get; }

    /// <summary>Images of one class that were told to be of another.</summary>
    /// <param name="actual">Their class.</param>
    /// <param name="told">The class that was told.</param>
    internal int Count(int actual, int told) => _counts[actual, told];

    /// <summary>Share of all images whose class was told.</summary>
    internal double Accuracy => Enumerable.Range(0, Classes.Count).Sum(i => (double)_counts[i, i]) / _counts.Cast<int>().Sum();

    /// <summary>Share of one class's images that were told; NaN without any.</summary>
    internal double AccuracyOf(int label) => _counts[label, label] / (double)Enumerable.Range(0, Classes.Count).Sum(told => _counts[label, told]);

    /// <summary>Asks a fine-tuned classifier.</summary>
    /// <param name="network">A network with the classification head, of the data's classes.</param>
    /// <param name="data">Labelled images.</param>
    /// <param name="batchSize">Images at a time.</param>
    /// <param name="report">Told how many are done.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    internal static ClassifierEvaluation OfNetwork(ImageGpt network, TokenDataset data, int batchSize, Action<int> report, CancellationToken cancellationToken)
    {
        var told = new List<int>();
        using IDisposable noGradient = no_grad();
        for (int first = 0; first < data.Count; first += batchSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using DisposeScope scope = NewDisposeScope();
            Tensor tokens = data.Tokens(first, Math.Min(batchSize, data.Count - first));
            told.AddRange(network.Forward(new ImageGptInput { TokenIds = tokens }).Logits!.argmax(1).data<long>().ToArray().Select(label => (int)label));
            report(told.Count);
        }

        return new ClassifierEvaluation(data.Classes, data.Labels, told);
    }

    /// <summary>Asks a head over a network.</summary>
    /// <param name="head">The head, of the data's classes.</param>
    /// <param name="network">The network.</param>
    /// <param name="data">Labelled images.</param>
    /// <param name="batchSize">Images at a time.</param>
    /// <param name="report">Told how many are done.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    internal static ClassifierEvaluation OfHead(HeadFile head, ImageGpt network, TokenDataset data, int batchSize, Action<int> report, CancellationToken cancellationToken)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor[] features = PooledFeatures.OfEveryLayer(network, data, batchSize, report, cancellationToken);
        return new ClassifierEvaluation(data.Classes, data.Labels, head.Classifier.Predict(features[head.Layer]));
    }
}
