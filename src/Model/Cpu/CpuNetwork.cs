using System.Runtime.InteropServices;
using IgptCluster.Engine;
using static TorchSharp.torch;

namespace IgptCluster.Model;

/// <summary>An ImageGPT's weights as <see cref="CpuModelRunner"/> reads them: linear layers in panels, embeddings and norms in float32. Any thread may read.</summary>
public sealed class CpuNetwork : IDisposable
{
    readonly List<IDisposable> _owned = [];

    /// <summary>Takes the weights over in another layout.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="architecture">Its head.</param>
    /// <param name="dtype">Type of the linear layers.</param>
    /// <param name="weight">A weight by its name, float32 on the CPU; disposed once it was read.</param>
    /// <exception cref="NotSupportedException">This machine or this configuration is not what it is made for, see <see cref="Fits"/>.</exception>
    public CpuNetwork(ImageGptConfig config, ImageGptArchitecture architecture, ScalarType dtype, Func<string, Tensor> weight)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weight);
        if (!Fits(config, dtype))
            throw new NotSupportedException($"no vectors for {dtype} on this machine, or activation_function is not quick_gelu");
        (Config, Shape) = (config, TorchModelRunner.ShapeOf(config, architecture));
        Type = dtype switch { ScalarType.Float32 => TileType.Float32, ScalarType.BFloat16 => TileType.BFloat16, _ => TileType.Int8 };
        TokenEmbedding = Vector("wte.weight", weight);
        PositionEmbedding = Vector("wpe.weight", weight);
        FinalNorm = Vector("ln_f.weight", weight);
        Blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => LoadBlock($"h.{layer}.", weight))];

        // Logits are what is seen: bytes would save little here.
        TileType headType = Type == TileType.Int8 ? TileType.BFloat16 : Type;
        string head = config.TieWordEmbeddings ? "wte.weight" : "lm_head.weight";
        Head = architecture == ImageGptArchitecture.CausalImageModeling ? Matrix(headType, (config.EmbeddingSize, Shape.LogitCount, false), weight, head, null) : null;
    }

    internal ImageGptConfig Config { get; }

    internal ModelShape Shape { get; }

    internal TileType Type { get; }

    internal AlignedMemory TokenEmbedding { get; }

    internal AlignedMemory PositionEmbedding { get; }

    internal AlignedMemory FinalNorm { get; }

    internal IReadOnlyList<Block> Blocks { get; }

    internal PanelMatrix? Head { get; }

    /// <summary>Whether this machine has the vectors for it and the configuration asks for nothing that only <see cref="ImageGpt"/> can.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="dtype">Type of the linear layers.</param>
    public static bool Fits(ImageGptConfig config, ScalarType dtype)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.ActivationFunction == "quick_gelu" && TileKernel.IsSupported(TileType.Float32) && dtype switch
        {
            ScalarType.Float32 => true,
            ScalarType.BFloat16 => TileKernel.IsSupported(TileType.BFloat16),
            _ => TileKernel.IsSupported(TileType.BFloat16) && TileKernel.IsSupported(TileType.Int8),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.ForEach(one => one.Dispose());

    Block LoadBlock(string prefix, Func<string, Tensor> weight)
    {
        (int width, int inner) = (Config.EmbeddingSize, Config.FeedForwardSize);
        return new Block(
            Vector(prefix + "ln_1.weight", weight),
            Linear(prefix + "attn.c_attn", width, 3 * width),
            Linear(prefix + "attn.c_proj", width, width),
            Vector(prefix + "ln_2.weight", weight),
            Linear(prefix + "mlp.c_fc", width, inner),
            Linear(prefix + "mlp.c_proj", inner, width));

        // Conv1D weights lie [in, out].
        PanelMatrix Linear(string name, int inputs, int outputs) => Matrix(Type, (inputs, outputs, true), weight, name + ".weight", name + ".bias");
    }

    unsafe AlignedMemory Vector(string name, Func<string, Tensor> weight)
    {
        using Tensor source = weight(name);
        var memory = new AlignedMemory(source.NumberOfElements * sizeof(float));
        _owned.Add(memory);
        source.bytes.CopyTo(new Span<byte>(memory.Start, (int)memory.Length));
        return memory;
    }

    PanelMatrix Matrix(TileType type, (int Inputs, int Outputs, bool InputsFirst) shape, Func<string, Tensor> weight, string name, string? bias)
    {
        using Tensor source = weight(name);
        using Tensor? offsets = bias is null ? null : weight(bias);
        var matrix = new PanelMatrix(type, MemoryMarshal.Cast<byte, float>(source.bytes), shape, offsets is null ? [] : MemoryMarshal.Cast<byte, float>(offsets.bytes));
        _owned.Add(matrix);
        return matrix;
    }

    internal sealed record Block(AlignedMemory AttentionNorm, PanelMatrix QueryKeyValue, PanelMatrix AttentionOutput, AlignedMemory MlpNorm, PanelMatrix MlpInner, PanelMatrix MlpOutput);
}
