using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cpu;

/// <summary>An ImageGPT's weights as <see cref="CpuModelRunner"/> reads them: linear layers in panels, embeddings and norms in float32. Any thread may read.</summary>
public sealed class CpuNetwork : IDisposable
{
    readonly NetworkMemory _memory = new();

    /// <summary>Takes the weights over in another layout.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="architecture">Its head.</param>
    /// <param name="dtype">Type of the linear layers.</param>
    /// <param name="weights">The weights; read here, and not needed any more then.</param>
    /// <param name="progress">Told the share that is there, 0 … 1, by any thread.</param>
    /// <exception cref="NotSupportedException">This machine or this configuration is not what it is made for, see <see cref="Fits"/>.</exception>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory for them.</exception>
    public CpuNetwork(ImageGptConfig config, ImageGptArchitecture architecture, ScalarType dtype, IWeightSource weights, IProgress<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        if (!Fits(config))
            throw new NotSupportedException("no vectors for it on this machine, or activation_function is not quick_gelu");
        (Config, Shape) = (config, TorchModelRunner.ShapeOf(config, architecture));
        Type = dtype switch { ScalarType.Float32 => TileType.Float32, ScalarType.BFloat16 => TileType.BFloat16, _ => TileType.Int8 };
        TokenEmbedding = Vector("wte.weight", config.VocabSize);
        PositionEmbedding = Vector("wpe.weight", config.PositionCount);
        FinalNorm = Vector("ln_f.weight");
        Blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => AddBlock($"h.{layer}."))];

        // Logits are what is seen: bytes would save little here.
        TileType headType = Type == TileType.Int8 ? TileType.BFloat16 : Type;
        var head = new LinearShape(config.TieWordEmbeddings ? "wte.weight" : WeightLayout.LanguageHead, null, config.EmbeddingSize, Shape.LogitCount, InputsFirst: false);
        Head = architecture == ImageGptArchitecture.CausalImageModeling ? _memory.Add(new PanelMatrix(headType, head)) : null;
        try
        {
            _memory.Load(weights, progress);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal ImageGptConfig Config { get; }

    internal ModelShape Shape { get; }

    internal TileType Type { get; }

    internal FloatVector TokenEmbedding { get; }

    internal FloatVector PositionEmbedding { get; }

    internal FloatVector FinalNorm { get; }

    internal IReadOnlyList<Block> Blocks { get; }

    internal PanelMatrix? Head { get; }

    /// <summary>Whether this machine has the vectors for it and the configuration asks for nothing that only <see cref="ImageGpt"/> can.</summary>
    /// <param name="config">The configuration.</param>
    public static bool Fits(ImageGptConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.ActivationFunction == "quick_gelu" && TileKernel.IsSupported;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    FloatVector Vector(string name, int rows = 1) => _memory.Add(new FloatVector(name, rows * Config.EmbeddingSize));

    Block AddBlock(string prefix)
    {
        (int width, int inner) = (Config.EmbeddingSize, Config.FeedForwardSize);
        return new Block(
            Vector(prefix + "ln_1.weight"),
            Linear(prefix + "attn.c_attn", width, 3 * width),
            Linear(prefix + "attn.c_proj", width, width),
            Vector(prefix + "ln_2.weight"),
            Linear(prefix + "mlp.c_fc", width, inner),
            Linear(prefix + "mlp.c_proj", inner, width));
    }

    // Conv1D weights lie [in, out].
    PanelMatrix Linear(string name, int inputs, int outputs) => _memory.Add(new PanelMatrix(Type, new LinearShape(name + ".weight", name + ".bias", inputs, outputs, InputsFirst: true)));

    internal sealed record Block(FloatVector AttentionNorm, PanelMatrix QueryKeyValue, PanelMatrix AttentionOutput, FloatVector MlpNorm, PanelMatrix MlpInner, PanelMatrix MlpOutput);
}
