using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Training.Runs;

/// <summary>What a <see cref="TrainingRun"/> trains: a network, its loss, and what is looked at and written on the way. One thread.</summary>
internal interface ITrainingTask : IDisposable
{
    /// <summary>The network.</summary>
    ImageGpt Network { get; }

    /// <summary>All that is trained: the network's weights, and heads beside it.</summary>
    IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    /// <summary>The loss of one batch.</summary>
    /// <returns>A float32 scalar in the caller's dispose scope.</returns>
    Tensor Loss(Batch batch);

    /// <summary>Measures on held-out images; null where there are none.</summary>
    LogEntry? LookAtHeldOut(long step);

    /// <summary>Writes the checkpoint.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="weight">Master weights by name, float32 copies.</param>
    void Write(string folder, Func<string, Tensor> weight);

    /// <summary>Draws what the network makes now; null where it makes nothing.</summary>
    /// <param name="weight">Master weights by name, float32 copies.</param>
    /// <returns>A PNG file.</returns>
    byte[]? DrawSamples(Func<string, Tensor> weight);
}
