using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Training.Pretraining;
using static TorchSharp.torch;

namespace IgptCluster.Training.Runs;

/// <summary>The weights a training starts from: a checkpoint's, and for those it has not, random ones that know colours and places.</summary>
/// <param name="config">The network to start.</param>
/// <param name="architecture">Its head.</param>
/// <param name="processor">Its colours and image size.</param>
/// <param name="checkpoint">An open checkpoint of the same sizes; null for random weights only.</param>
/// <param name="seed">Seed of random weights.</param>
internal sealed class StartWeights(ImageGptConfig config, ImageGptArchitecture architecture, ImageProcessor processor, Checkpoint? checkpoint, int seed)
{
    readonly Dictionary<string, WeightShape> _layout = WeightLayout.Of(config, architecture).ToDictionary(weight => weight.Name);
    readonly RandomWeights _random = new(config, seed);
    readonly StartEmbeddings _embeddings = new(processor, config, seed);

    /// <summary>Number of values.</summary>
    internal long Count => _layout.Values.Sum(weight => weight.Count);

    /// <summary>One weight by its name, float32 on the CPU; the caller's.</summary>
    internal Tensor Load(string name) =>
        checkpoint?.Tensors.ContainsKey(name) == true ? checkpoint.Load(name, ScalarType.Float32)
        : _embeddings.Make(name) ?? _random.Make(_layout[name]);
}
