using IgptCluster.Training.Data;
using static TorchSharp.torch;

namespace IgptCluster.Training.Probing;

/// <summary>
/// Fits classifiers for one kind of features. The penalty is chosen on a part of the training images that is held out for it; the classifier is then
/// fitted on all of them. Test images choose nothing.
/// </summary>
/// <param name="training">Training images, with classes.</param>
/// <param name="seed">Seed of the part that is held out.</param>
internal sealed class ProbeSearch(TokenDataset training, int seed)
{
    const double HeldOutShare = 0.2;

    static readonly double[] Penalties = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];

    readonly (int[] Fit, int[] HeldOut) _parts = Split(training, seed);

    /// <summary>Finds the best classifier.</summary>
    /// <param name="features">float32 [images, width] of the training images.</param>
    /// <returns>The classifier and the held-out part's accuracy with its penalty.</returns>
    internal (LinearClassifier Classifier, double HeldOutAccuracy) Find(Tensor features)
    {
        int classes = training.Classes.Count;
        int[] labels = [.. training.Labels];
        using Tensor fit = Rows(features, _parts.Fit);
        using Tensor heldOut = Rows(features, _parts.HeldOut);
        int[] heldOutLabels = Pick(labels, _parts.HeldOut);
        (double penalty, double accuracy) = Penalties
            .Select(penalty => (penalty, LogisticRegression.Fit(fit, Pick(labels, _parts.Fit), classes, penalty).Accuracy(heldOut, heldOutLabels)))
            .MaxBy(found => found.Item2);
        return (LogisticRegression.Fit(features, labels, classes, penalty), accuracy);
    }

    /// <summary>Mean accuracy on test images of classifiers fitted on few images of each class, drawn several times.</summary>
    /// <param name="features">float32 [images, width] of the training images.</param>
    /// <param name="test">The same of the test images.</param>
    /// <param name="testLabels">Classes of the test images.</param>
    /// <param name="perClass">Images of each class.</param>
    /// <param name="draws">How often, each with other images.</param>
    /// <param name="penalty">Strength of the L2 penalty.</param>
    internal double FewLabels(Tensor features, Tensor test, IReadOnlyList<int> testLabels, int perClass, int draws, double penalty) =>
        Enumerable.Range(0, draws).Average(draw =>
        {
            int[] drawn = training.DrawPerClass(perClass, seed + draw);
            using Tensor few = Rows(features, drawn);
            return LogisticRegression.Fit(few, Pick([.. training.Labels], drawn), training.Classes.Count, penalty).Accuracy(test, testLabels);
        });

    static (int[] Fit, int[] HeldOut) Split(TokenDataset data, int seed)
    {
        int smallest = data.Labels.GroupBy(label => label).Min(group => group.Count());
        int[] heldOut = data.DrawPerClass(Math.Max(1, (int)(smallest * HeldOutShare)), seed);
        return ([.. Enumerable.Range(0, data.Count).Except(heldOut)], heldOut);
    }

    static int[] Pick(int[] values, int[] indexes) => Array.ConvertAll(indexes, index => values[index]);

    static Tensor Rows(Tensor features, int[] indexes)
    {
        using Tensor rows = tensor(Array.ConvertAll(indexes, index => (long)index));
        return features.index_select(0, rows);
    }
}
