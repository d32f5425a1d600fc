using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Probing;

/// <summary>Linear probes of one network: by layer, of pixels, from few labels. One thread.</summary>
/// <param name="training">Labelled training images.</param>
/// <param name="test">Test images of the same classes.</param>
/// <param name="processor">The palette.</param>
/// <param name="seed">Seed of what is held out and drawn.</param>
internal sealed class ProbeRun(TokenDataset training, TokenDataset test, ImageProcessor processor, int seed)
{
    const int BatchSize = 8;
    const int FewPerClass = 10;
    const int FewDraws = 10;
    const double FewPenalty = 1e-2;

    readonly ProbeSearch _search = new(training, seed);

    /// <summary>Probes.</summary>
    /// <param name="network">The network.</param>
    /// <param name="layers">Hidden states to probe.</param>
    /// <param name="random">The same network before training, to compare with; null for none.</param>
    /// <param name="headName">Name of the head that is made.</param>
    /// <param name="cancellationToken">Stops between batches.</param>
    internal (ProbeReport Report, HeadFile Head) Probe(ImageGpt network, IReadOnlyList<int> layers, ImageGpt? random, string headName, CancellationToken cancellationToken)
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor[] Training, Tensor[] Test) features = Features("", network, cancellationToken);
        (LayerProbe Probe, LinearClassifier Classifier)[] probes = [.. layers.Select(layer => ProbeLayer(layer, features.Training[layer], features.Test[layer]))];
        (LayerProbe best, LinearClassifier classifier) = probes.MaxBy(probe => probe.Probe.HeldOut);
        var report = new ProbeReport
        {
            Classes = training.Classes,
            TrainingImages = training.Count,
            TestImages = test.Count,
            Layers = [.. probes.Select(probe => probe.Probe)],
            BestLayer = best.Layer,
            RandomWeights = random is null ? null : ProbeRandom(random, layers, cancellationToken),
            Pixels = ProbePixels(out Tensor pixels, out Tensor testPixels),
            FewPerClass = FewPerClass,
            FewLabels = Few(features.Training[best.Layer], features.Test[best.Layer]),
            FewLabelsPixels = Few(pixels, testPixels),
        };
        return (report, new HeadFile(headName, best.Layer, training.Classes, classifier.Weight, classifier.Bias));
    }

    LayerProbe[] ProbeRandom(ImageGpt network, IReadOnlyList<int> layers, CancellationToken cancellationToken)
    {
        (Tensor[] Training, Tensor[] Test) features = Features(" of random weights", network, cancellationToken);
        return [.. layers.Select(layer => ProbeLayer(layer, features.Training[layer], features.Test[layer]).Probe)];
    }

    double ProbePixels(out Tensor pixels, out Tensor testPixels)
    {
        pixels = PooledFeatures.OfPixels(training, processor.Palette.Clusters);
        testPixels = PooledFeatures.OfPixels(test, processor.Palette.Clusters);
        return _search.Find(pixels).Classifier.Accuracy(testPixels, test.Labels);
    }

    double Few(Tensor features, Tensor testFeatures) => _search.FewLabels(features, testFeatures, test.Labels, FewPerClass, FewDraws, FewPenalty);

    (LayerProbe Probe, LinearClassifier Classifier) ProbeLayer(int layer, Tensor features, Tensor testFeatures)
    {
        (LinearClassifier classifier, double heldOut) = _search.Find(features);
        return (new LayerProbe(layer, heldOut, classifier.Accuracy(testFeatures, test.Labels)), classifier);
    }

    (Tensor[] Training, Tensor[] Test) Features(string of, ImageGpt network, CancellationToken cancellationToken)
    {
        using var progress = new ProgressLine($"Computing features{of}", training.Count + test.Count);
        Tensor[] learned = PooledFeatures.OfEveryLayer(network, training, BatchSize, done => progress.Show(done), cancellationToken);
        Tensor[] measured = PooledFeatures.OfEveryLayer(network, test, BatchSize, done => progress.Show(training.Count + done), cancellationToken);
        return (learned, measured);
    }
}
