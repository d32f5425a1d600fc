using IgptCluster.Model.Checkpoints;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Checkpoints;

public sealed class CheckpointWriterTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    [Theory]
    [InlineData(ImageGptArchitecture.Model, ScalarType.Float32, long.MaxValue)]
    [InlineData(ImageGptArchitecture.CausalImageModeling, ScalarType.BFloat16, long.MaxValue)]
    [InlineData(ImageGptArchitecture.ImageClassification, ScalarType.Float16, 8_000)]
    public void Write_ThenOpen_GivesTheSameConfigurationAndValues(ImageGptArchitecture architecture, ScalarType dtype, long maxShardBytes)
    {
        var config = new ImageGptConfig
        {
            VocabSize = 33,
            PositionCount = 64,
            EmbeddingSize = 24,
            LayerCount = 2,
            HeadCount = 3,
            InnerSize = 40,
            ActivationFunction = "gelu_new",
            LayerNormEpsilon = 1e-4,
            ScaleAttentionByInverseLayerIndex = true,
            Labels = architecture == ImageGptArchitecture.ImageClassification ? ["cat", "dog", "hörse"] : ["LABEL_0", "LABEL_1"],
            ProblemType = architecture == ImageGptArchitecture.ImageClassification ? "single_label_classification" : null,
        };
        var weights = new RandomWeights(config, seed: 4);
        CheckpointWriter.Write(_folder, new CheckpointContent { Config = config, Architecture = architecture, DType = dtype, MaxShardBytes = maxShardBytes, Card = "hello" }, weights.Make);
        Assert.Equal(maxShardBytes < long.MaxValue, File.Exists(Path.Combine(_folder, "model.safetensors.index.json")));
        using Checkpoint opened = Checkpoint.Open(_folder);
        Assert.Equal(architecture, opened.Architecture);
        Assert.Equal(config.Labels, opened.Config.Labels);
        Assert.Equal(config with { Labels = [] }, opened.Config with { Labels = [] });
        Assert.Equal("hello", opened.Card);
        Assert.Empty(opened.Ignored);
        foreach (WeightShape weight in WeightLayout.Of(config, architecture))
        {
            using Tensor made = weights.Make(weight);
            using Tensor rounded = made.to_type(dtype).to_type(ScalarType.Float32);
            using Tensor loaded = opened.Load(weight.Name, ScalarType.Float32);
            Assert.Equal(dtype, opened.Tensors[weight.Name].DType);
            Assert.True(loaded.bytes.SequenceEqual(rounded.bytes), $"{weight.Name} differs");
            float[] read = new float[weight.Count];
            opened.Read(weight.Name, 0, read);
            Assert.Equal(rounded.data<float>().ToArray(), read);
        }

        // The header is what Hugging Face reads: its names, and nothing left over from writing.
        string prefix = architecture == ImageGptArchitecture.Model ? "" : "transformer.";
        IEnumerable<string> stored = Directory.EnumerateFiles(_folder, "*.safetensors").SelectMany(file => new GoldenTensors(file).Names);
        Assert.Contains($"{prefix}h.1.mlp.c_fc.weight", stored);
        Assert.Empty(Directory.EnumerateFiles(_folder, "*.tmp"));

        // Closing it twice is closing it.
        opened.Dispose();
    }

    [Fact]
    public void Make_SameSeed_GivesTheSameBytesAndAnotherSeedOthers()
    {
        ImageGptConfig config = ImageGptConfig.Preset("tiny");
        var shape = new WeightShape("h.0.mlp.c_proj.weight", [256, 64]);
        using Tensor first = new RandomWeights(config, 1).Make(shape);
        using Tensor again = new RandomWeights(config, 1).Make(shape);
        using Tensor other = new RandomWeights(config, 2).Make(shape);
        Assert.True(first.bytes.SequenceEqual(again.bytes));
        Assert.False(first.bytes.SequenceEqual(other.bytes));
        using Tensor deviation = first.std();
        Assert.InRange(deviation.item<float>(), 0.02 / Math.Sqrt(8) * 0.97, 0.02 / Math.Sqrt(8) * 1.03);
    }

    [Fact]
    public void Parse_SeveralMistakes_NamesThemAll()
    {
        CheckpointException failure = Assert.Throws<CheckpointException>(() => ImageGptConfigJson.Parse(
            """{"model_type": "gpt2", "n_embd": 10, "n_head": 3, "n_layer": -1, "activation_function": "magic", "scale_attn_weights": 1, "architectures": ["ImageGPTForImageClassification"], "id2label": {"0": "a", "2": "b"}}"""));
        Assert.All(
            ["model_type", "'gpt2'", "n_embd: must be a multiple of n_head", "n_layer", "-1", "'magic'", "scale_attn_weights", "id2label"],
            word => Assert.Contains(word, failure.Message, StringComparison.Ordinal));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
