using System.Text.Json;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Tests.Cuda;
using IgptCluster.Model.Torch;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>Networks and cases of the golden set, read by the tests' own reader.</summary>
static class GoldenNetwork
{
    /// <summary>A checkpoint of the golden set, whichever set that is, as a network.</summary>
    /// <param name="model">Its folder's name, as <see cref="Cases"/> gives it: other sets have other models.</param>
    /// <param name="change">Changes the configuration.</param>
    public static ImageGpt Load(string model, Func<ImageGptConfig, ImageGptConfig>? change = null) => LoadFolder(GoldenSet.PathOf("models", model), ScalarType.Float32, change, replace: null);

    /// <summary>A checkpoint of the set that lies with the tests as a network, for tests that are not about the golden set.</summary>
    /// <param name="model">Its folder's name.</param>
    /// <param name="dtype">Number type to compute in.</param>
    /// <param name="change">Changes the configuration.</param>
    /// <param name="replace">Changes weights by name.</param>
    public static ImageGpt LoadBundled(
        string model,
        ScalarType dtype = ScalarType.Float32,
        Func<ImageGptConfig, ImageGptConfig>? change = null,
        Func<string, Tensor, Tensor>? replace = null) => LoadFolder(Path.Combine(GoldenSet.Bundled, "models", model), dtype, change, replace);

    /// <summary>
    /// Every runner that can serve a checkpoint of the golden set here, one after the other: the plain one, the processors' own where it fits, and CUDA's, its kernels
    /// on a processor, where there is a compiler for them.
    /// </summary>
    public static IEnumerable<IModelRunner> Runners(string model, int slots) => RunnersOf(GoldenSet.PathOf("models", model), slots);

    /// <summary>The same of the set that lies with the tests.</summary>
    public static IEnumerable<IModelRunner> BundledRunners(string model, int slots) => RunnersOf(Path.Combine(GoldenSet.Bundled, "models", model), slots);

    static IEnumerable<IModelRunner> RunnersOf(string folder, int slots)
    {
        yield return new TorchModelRunner(LoadFolder(folder, ScalarType.Float32, change: null, replace: null), new TorchRunnerOptions { Slots = slots });
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        if (CpuNetwork.Fits(checkpoint.Config))
        {
            var network = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, ScalarType.Float32, checkpoint);
            yield return new CpuModelRunner(network, new CpuRunnerOptions { Slots = slots, KeyValueType = ScalarType.Float32 });
        }

        if (HostDevice.WhyNot.Length == 0)
        {
            using var device = new HostDevice();
            yield return new CudaModelRunner(device, new CudaNetwork(device, checkpoint.Config, checkpoint.Architecture, ScalarType.Float32, checkpoint), slots);
        }
    }

    static ImageGpt LoadFolder(string folder, ScalarType dtype, Func<ImageGptConfig, ImageGptConfig>? change, Func<string, Tensor, Tensor>? replace)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        JsonElement json = document.RootElement;
        ImageGptConfig config = Config(json);
        Dictionary<string, GoldenTensors> files = WeightFiles(folder);
        return new ImageGpt(change?.Invoke(config) ?? config, Architecture(json), Weight, dtype: dtype);

        Tensor Weight(string name)
        {
            string stored = files.ContainsKey(name) ? name : $"transformer.{name}";
            GoldenTensors file = files[stored];
            byte[] bytes = file.Bytes(stored);
            long[] shape = file.Shape(stored);
            ScalarType stored16 = json.GetProperty("torch_dtype").GetString() switch
            {
                "float16" => ScalarType.Float16,
                "bfloat16" => ScalarType.BFloat16,
                _ => ScalarType.Float32,
            };
            Tensor tensor = empty(shape, dtype: stored16);
            tensor.bytes = bytes;
            return replace?.Invoke(name, tensor) ?? tensor;
        }
    }

    /// <summary>Every case of one kind, of every model that the set holds.</summary>
    public static TheoryData<string, string> Cases(string kind)
    {
        var cases = new TheoryData<string, string>();
        foreach (string folder in Directory.EnumerateDirectories(GoldenSet.PathOf("cases")).Order(StringComparer.Ordinal))
        {
            string model = Path.GetFileName(folder);
            using JsonDocument document = GoldenSet.Json("cases", model, "cases.json");
            foreach (JsonElement entry in document.RootElement.GetProperty("cases").EnumerateArray())
            {
                if (entry.GetProperty("kind").GetString() == kind)
                    cases.Add(model, entry.GetProperty("name").GetString()!);
            }
        }

        return cases.Count > 0 ? cases : throw new InvalidOperationException($"no {kind} case in {GoldenSet.Folder}");
    }

    static ImageGptArchitecture Architecture(JsonElement json) => json.GetProperty("architectures")[0].GetString() switch
    {
        "ImageGPTModel" => ImageGptArchitecture.Model,
        "ImageGPTForImageClassification" => ImageGptArchitecture.ImageClassification,
        _ => ImageGptArchitecture.CausalImageModeling,
    };

    static ImageGptConfig Config(JsonElement json) => new()
    {
        VocabSize = json.GetProperty("vocab_size").GetInt32(),
        PositionCount = json.GetProperty("n_positions").GetInt32(),
        EmbeddingSize = json.GetProperty("n_embd").GetInt32(),
        LayerCount = json.GetProperty("n_layer").GetInt32(),
        HeadCount = json.GetProperty("n_head").GetInt32(),
        InnerSize = json.TryGetProperty("n_inner", out JsonElement inner) && inner.ValueKind == JsonValueKind.Number ? inner.GetInt32() : null,
        ActivationFunction = json.GetProperty("activation_function").GetString()!,
        LayerNormEpsilon = json.GetProperty("layer_norm_epsilon").GetDouble(),
        ScaleAttentionWeights = json.GetProperty("scale_attn_weights").GetBoolean(),
        ScaleAttentionByInverseLayerIndex = json.GetProperty("scale_attn_by_inverse_layer_idx").GetBoolean(),
        ReorderAndUpcastAttention = json.GetProperty("reorder_and_upcast_attn").GetBoolean(),
        TieWordEmbeddings = json.GetProperty("tie_word_embeddings").GetBoolean(),
        Labels = json.TryGetProperty("id2label", out JsonElement labels) && labels.ValueKind == JsonValueKind.Object
            ? [.. labels.EnumerateObject().Select(label => label.Value.GetString()!)]
            : [],
    };

    static Dictionary<string, GoldenTensors> WeightFiles(string folder) =>
        Directory.EnumerateFiles(folder, "*.safetensors")
            .Select(path => new GoldenTensors(path))
            .SelectMany(file => file.Names.Select(name => (name, file)))
            .ToDictionary(entry => entry.name, entry => entry.file);
}
