using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Palettes;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;
using static TorchSharp.torch;

namespace IgptCluster.Training.Tests;

/// <summary>A training small enough for a test: images of 4 × 4 pixels and 8 colours.</summary>
static class Tiny
{
    internal const int Side = 4;
    internal const int Colours = 8;

    internal static string ProcessorJson { get; } = IgptCluster.Training.Palettes.ProcessorJson.Write(GridPalette.Clusters(Colours), Side);

    internal static ImageProcessor Processor { get; } = ImageProcessor.Parse(ProcessorJson);

    internal static ImageGptConfig Config { get; } = new ImageGptConfig
    {
        VocabSize = Colours + 1,
        PositionCount = Side * Side,
        EmbeddingSize = 32,
        LayerCount = 2,
        HeadCount = 2,
        EmbeddingDropout = 0,
        ResidualDropout = 0,
        AttentionDropout = 0,
    };

    /// <summary>Two classes: rows of one colour, and columns of one colour.</summary>
    internal static TokenDataset Stripes(int count, int seed = 0)
    {
        var random = new Random(seed);
        ushort[][] images = new ushort[count][];
        for (int i = 0; i < count; i++)
        {
            ushort[] lines = [.. Enumerable.Range(0, Side).Select(_ => (ushort)random.Next(Colours))];
            bool isRows = i % 2 == 0;
            images[i] = [.. Enumerable.Range(0, Side * Side).Select(at => lines[isRows ? at / Side : at % Side])];
        }

        return new TokenDataset(Side, Side, ["rows", "columns"], images, [.. Enumerable.Range(0, count).Select(i => i % 2)]);
    }

    internal static TrainingPlan Plan(long steps = 50, int seed = 3) => new()
    {
        Objective = TrainingObjective.NextPixel,
        Steps = steps,
        BatchSize = 4,
        Accumulation = 2,
        LearningRate = 0.01,
        EmbeddingRate = 0.5,
        WarmupSteps = 5,
        WeightDecay = 0.01,
        MaxGradientNorm = 1,
        DType = "f32",
        Flip = true,
        CropPadding = 1,
        Seed = seed,
    };

    internal static ImageGpt Network(ScalarType dtype = ScalarType.Float32, int seed = 1) => new(
        Config, ImageGptArchitecture.CausalImageModeling, new StartWeights(Config, ImageGptArchitecture.CausalImageModeling, Processor, null, seed).Load, CPU, dtype);

    internal static PretrainTask Task(TrainingPlan plan, TokenDataset? heldOut = null) =>
        new(Network(plan.ScalarType), plan, Processor, ProcessorJson, heldOut);
}
