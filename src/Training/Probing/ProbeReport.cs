namespace IgptCluster.Training.Probing;

/// <summary>What <c>igpt-train probe</c> measured, written as probe.json. Accuracies are shares of test images, 0 to 1.</summary>
internal sealed record ProbeReport
{
    /// <summary>Names of the classes.</summary>
    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Labelled training images.</summary>
    public required int TrainingImages { get; init; }

    /// <summary>Test images.</summary>
    public required int TestImages { get; init; }

    /// <summary>Each layer that was probed.</summary>
    public required IReadOnlyList<LayerProbe> Layers { get; init; }

    /// <summary>The layer with the best accuracy on training images held out for the choice.</summary>
    public required int BestLayer { get; init; }

    /// <summary>The same network before training, by layer; null if not asked for.</summary>
    public IReadOnlyList<LayerProbe>? RandomWeights { get; init; }

    /// <summary>The same classifier on the quantised pixels.</summary>
    public required double Pixels { get; init; }

    /// <summary>Labelled images of each class for the two figures that follow.</summary>
    public required int FewPerClass { get; init; }

    /// <summary>The best layer from few labelled images, mean of several draws.</summary>
    public required double FewLabels { get; init; }

    /// <summary>Quantised pixels from the same few.</summary>
    public required double FewLabelsPixels { get; init; }
}

/// <summary>One layer's probe.</summary>
/// <param name="Layer">Hidden state: 0 = embeddings, n_layer = after the final norm.</param>
/// <param name="HeldOut">Accuracy on training images held out to choose penalty and layer.</param>
/// <param name="Test">Accuracy on test images.</param>
internal sealed record LayerProbe(int Layer, double HeldOut, double Test);
