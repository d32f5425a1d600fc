using IgptCluster.Files;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary>What commands read of checkpoint and palette folders.</summary>
internal static class ModelFiles
{
    /// <summary>Reads the preprocessor_config.json of a folder.</summary>
    /// <param name="folder">A palette's or a checkpoint's folder.</param>
    /// <param name="json">The file's text.</param>
    /// <exception cref="DataException">There is none.</exception>
    /// <exception cref="UserFileException">It is no regular file, or cannot be read.</exception>
    /// <exception cref="ImagingException">It breaks a rule.</exception>
    internal static ImageProcessor Processor(string folder, out string json)
    {
        string path = Path.Combine(folder, "preprocessor_config.json");
        if (!UserFile.IsThere(path))
            throw new DataException($"{path}: there is no such file; igpt-train palette makes one, and a checkpoint has its own");
        json = UserFile.ReadText(path, Checkpoint.MaxConfigBytes);
        return ImageProcessor.Parse(json, path);
    }

    /// <summary>A checkpoint's network, float32 on the CPU.</summary>
    internal static ImageGpt Network(Checkpoint checkpoint) =>
        new(checkpoint.Config, checkpoint.Architecture, weight => checkpoint.Load(weight, ScalarType.Float32));

    /// <summary>A configuration without dropout, as the paper pre-trains and fine-tunes.</summary>
    internal static ImageGptConfig WithoutDropout(this ImageGptConfig config) => config with { EmbeddingDropout = 0, ResidualDropout = 0, AttentionDropout = 0 };
}
