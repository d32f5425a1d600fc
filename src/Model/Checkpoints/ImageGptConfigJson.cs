using System.Text.Json;
using System.Text.Json.Nodes;
using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>config.json as Hugging Face writes it.</summary>
public static class ImageGptConfigJson
{
    const string ModelType = "imagegpt";

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Hugging Face's class of each architecture.</summary>
    static readonly Dictionary<string, ImageGptArchitecture> Classes = new()
    {
        ["ImageGPTModel"] = ImageGptArchitecture.Model,
        ["ImageGPTForCausalImageModeling"] = ImageGptArchitecture.CausalImageModeling,
        ["ImageGPTForImageClassification"] = ImageGptArchitecture.ImageClassification,
    };

    /// <summary>Reads config.json.</summary>
    /// <param name="json">The file's text.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="otherwise">The architecture if the file names none; null if it is not known. Labels are a classifier's alone: others are not refused for theirs.</param>
    /// <returns>The configuration, and the architecture if the file names one.</returns>
    /// <exception cref="CheckpointException">Not JSON, or values that break a rule: all of them are named.</exception>
    public static (ImageGptConfig Config, ImageGptArchitecture? Architecture) Parse(string json, string source = "config.json", ImageGptArchitecture? otherwise = null)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.TrimStart('\uFEFF'), new JsonDocumentOptions { MaxDepth = 32 });
            JsonFields fields = new(document.RootElement);
            ImageGptArchitecture? architecture = Architecture(fields) ?? otherwise;
            ImageGptConfig config = Read(fields, architecture);
            return fields.Problems.Count == 0
                ? (config, architecture)
                : throw new CheckpointException($"{source}: {string.Join("; ", fields.Problems)}");
        }
        catch (JsonException failure)
        {
            throw new CheckpointException($"{source}: {IncompleteFile.JsonFault(json, failure)}", failure);
        }
    }

    /// <summary>Writes config.json.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="architecture">Its architecture.</param>
    /// <param name="dtype">Data type of the weights as PyTorch names it, <c>float32</c>.</param>
    public static string Write(ImageGptConfig config, ImageGptArchitecture architecture, string dtype)
    {
        var root = new JsonObject
        {
            ["activation_function"] = config.ActivationFunction,
            ["architectures"] = new JsonArray(Classes.Single(named => named.Value == architecture).Key),
            ["attn_pdrop"] = config.AttentionDropout,
            ["embd_pdrop"] = config.EmbeddingDropout,
            ["initializer_range"] = config.InitializerRange,
            ["layer_norm_epsilon"] = config.LayerNormEpsilon,
            ["model_type"] = ModelType,
            ["n_embd"] = config.EmbeddingSize,
            ["n_head"] = config.HeadCount,
            ["n_inner"] = config.InnerSize,
            ["n_layer"] = config.LayerCount,
            ["n_positions"] = config.PositionCount,
            ["reorder_and_upcast_attn"] = config.ReorderAndUpcastAttention,
            ["resid_pdrop"] = config.ResidualDropout,
            ["scale_attn_by_inverse_layer_idx"] = config.ScaleAttentionByInverseLayerIndex,
            ["scale_attn_weights"] = config.ScaleAttentionWeights,
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            ["torch_dtype"] = dtype,
            ["use_cache"] = config.UseCache,
            ["vocab_size"] = config.VocabSize,
        };
        if (architecture == ImageGptArchitecture.ImageClassification)
        {
            root["id2label"] = new JsonObject(config.Labels.Select((label, i) => KeyValuePair.Create($"{i}", (JsonNode?)label)));
            root["label2id"] = new JsonObject(config.Labels.Select((label, i) => (label, i)).DistinctBy(pair => pair.label).Select(pair => KeyValuePair.Create(pair.label, (JsonNode?)pair.i)));
            root["problem_type"] = config.ProblemType;
        }

        return root.ToJsonString(Indented) + "\n";
    }

    static ImageGptConfig Read(JsonFields fields, ImageGptArchitecture? architecture)
    {
        var defaults = new ImageGptConfig();
        if (fields.Text("model_type", ModelType) is var type && type != ModelType)
        {
            fields.Problems.Add($"model_type: must be '{ModelType}'; given '{type}'");
        }

        if (fields.Flag("add_cross_attention", false))
        {
            fields.Problems.Add("add_cross_attention: a decoder with cross-attention is not supported; given true");
        }

        ImageGptConfig config = defaults with
        {
            VocabSize = fields.Whole("vocab_size", defaults.VocabSize, 2, 1 << 20),
            PositionCount = fields.Whole("n_positions", "max_position_embeddings", defaults.PositionCount, 1, 1 << 16),
            EmbeddingSize = fields.Whole("n_embd", "hidden_size", defaults.EmbeddingSize, 1, 1 << 16),
            LayerCount = fields.Whole("n_layer", "num_hidden_layers", defaults.LayerCount, 1, 1024),
            HeadCount = fields.Whole("n_head", "num_attention_heads", defaults.HeadCount, 1, 1 << 16),
            InnerSize = fields.IsNull("n_inner") ? null : fields.Whole("n_inner", 1, 1, 1 << 20),
            ActivationFunction = fields.Text("activation_function", defaults.ActivationFunction),
            LayerNormEpsilon = fields.Number("layer_norm_epsilon", defaults.LayerNormEpsilon, 0, 1),
            ScaleAttentionWeights = fields.Flag("scale_attn_weights", true),
            ScaleAttentionByInverseLayerIndex = fields.Flag("scale_attn_by_inverse_layer_idx", false),
            ReorderAndUpcastAttention = fields.Flag("reorder_and_upcast_attn", false),
            TieWordEmbeddings = fields.Flag("tie_word_embeddings", false),
            UseCache = fields.Flag("use_cache", true),
            EmbeddingDropout = fields.Number("embd_pdrop", defaults.EmbeddingDropout, 0, 1),
            ResidualDropout = fields.Number("resid_pdrop", defaults.ResidualDropout, 0, 1),
            AttentionDropout = fields.Number("attn_pdrop", defaults.AttentionDropout, 0, 1),
            InitializerRange = fields.Number("initializer_range", defaults.InitializerRange, 0, 100),
            Labels = architecture == ImageGptArchitecture.ImageClassification ? fields.Labels() : JsonFields.UnusedLabels(),
            ProblemType = fields.IsNull("problem_type") ? null : fields.Text("problem_type", ""),
        };
        fields.Problems.AddRange(config.Problems());
        return config;
    }

    static ImageGptArchitecture? Architecture(JsonFields fields)
    {
        string[] named = fields.Texts("architectures");
        if (named.Length == 0)
        {
            return null;
        }

        if (Classes.TryGetValue(named[0], out ImageGptArchitecture architecture))
        {
            return architecture;
        }

        fields.Problems.Add($"architectures: must be one of {string.Join(", ", Classes.Keys)}; given {named[0]}");
        return null;
    }
}
