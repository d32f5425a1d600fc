using System.Text.Json;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Silo.Replicas;

/// <summary>Checks a checkpoint folder and tells what the cluster says of it.</summary>
internal static class CheckpointLoader
{
    const string ClassifierHead = "classifier";

    /// <summary>Opens and checks a folder without reading its weights.</summary>
    /// <param name="folder">Checkpoint folder.</param>
    /// <exception cref="CheckpointException">It breaks a rule: the message begins with the folder, for there may be several.</exception>
    internal static Checkpoint Open(string folder)
    {
        try
        {
            return OpenChecked(folder);
        }
        catch (CheckpointException failure) when (!failure.Message.StartsWith($"{folder}: ", StringComparison.Ordinal))
        {
            throw new CheckpointException($"{folder}: {failure.Message}", failure);
        }
    }

    static Checkpoint OpenChecked(string folder)
    {
        Checkpoint checkpoint = Checkpoint.Open(folder);
        try
        {
            CheckProcessor(checkpoint);
            _ = ProbeLayer(checkpoint);
            _ = HeadFiles.Load(checkpoint, OwnHeads(checkpoint));
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Reads what the cluster tells of a model, and its heads.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="name">Name to serve it by.</param>
    /// <exception cref="CheckpointException">A head file breaks a rule.</exception>
    internal static LoadedModel Describe(Checkpoint checkpoint, string name)
    {
        LinearHead[] own = checkpoint.Architecture == ImageGptArchitecture.ImageClassification ? [Head(checkpoint)] : [];
        LinearHead[] heads = [.. own, .. HeadFiles.Load(checkpoint, OwnHeads(checkpoint))];
        return new LoadedModel(Describe(checkpoint, name, heads), heads);
    }

    static ModelDescription Describe(Checkpoint checkpoint, string name, LinearHead[] heads)
    {
        ImageGptConfig config = checkpoint.Config;
        return new ModelDescription
        {
            Name = name,
            Version = HeadFiles.Version(checkpoint),
            ConfigJson = checkpoint.ConfigJson,
            PreprocessorJson = checkpoint.PreprocessorJson ?? "",
            Card = checkpoint.Card ?? "",
            ProbeLayer = ProbeLayer(checkpoint),
            Heads = [.. heads.Select(head => head.Description)],
            VocabularySize = config.VocabSize,
            PositionCount = config.PositionCount,
            LayerCount = config.LayerCount,
            EmbeddingSize = config.EmbeddingSize,
            CanGenerate = checkpoint.Architecture == ImageGptArchitecture.CausalImageModeling,
        };
    }

    /// <summary>
    /// config.json's <c>probe_layer</c>, a field of this project that Hugging Face ignores: where a linear probe found most. Without it two thirds
    /// up, the best layer of the paper's linear probes (16 of 24).
    /// </summary>
    static int ProbeLayer(Checkpoint checkpoint)
    {
        int layers = checkpoint.Config.LayerCount;
        using JsonDocument config = JsonDocument.Parse(checkpoint.ConfigJson.TrimStart('\uFEFF'));
        if (!config.RootElement.TryGetProperty("probe_layer", out JsonElement given))
        {
            return layers * 2 / 3;
        }

        return given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out int layer) && layer >= 0 && layer <= layers
            ? layer
            : throw new CheckpointException($"config.json: probe_layer: must be a whole number, 0 … n_layer = {layers}; given {given.GetRawText()}");
    }

    static string[] OwnHeads(Checkpoint checkpoint) => checkpoint.Architecture == ImageGptArchitecture.ImageClassification ? [ClassifierHead] : [];

    /// <summary>ImageGPTForImageClassification's own head: its score matrix on the mean of the last hidden state.</summary>
    static LinearHead Head(Checkpoint checkpoint)
    {
        float[] weight = new float[checkpoint.Config.Labels.Count * checkpoint.Config.EmbeddingSize];
        checkpoint.Read(WeightLayout.ClassifierHead, 0, weight);
        return new LinearHead(new HeadDescription(ClassifierHead, checkpoint.Config.LayerCount, [.. checkpoint.Config.Labels.Select(PrintableText.Escape)]), weight, bias: []);
    }

    static void CheckProcessor(Checkpoint checkpoint)
    {
        if (checkpoint.PreprocessorJson is not { } json)
        {
            return;
        }

        try
        {
            ImageProcessor.Parse(json).RequireFit(checkpoint.Config.VocabSize - 1, checkpoint.Config.PositionCount);
        }
        catch (ImagingException failure)
        {
            throw new CheckpointException(failure.Message, failure);
        }
    }
}
