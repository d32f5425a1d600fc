using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cuda;

/// <summary>An ImageGPT's weights on a device, as <see cref="CudaModelRunner"/> reads them. Its device's thread.</summary>
internal sealed class CudaNetwork : IDisposable
{
    readonly ICudaDevice _device;
    readonly IWeightSource _source;
    readonly List<IDisposable> _owned = [];

    /// <summary>Reads and uploads all weights.</summary>
    /// <param name="device">The device, which must outlive it.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="architecture">Its head.</param>
    /// <param name="dtype">Float32 or BFloat16.</param>
    /// <param name="weights">The weights; read here, and not needed any more then.</param>
    /// <param name="progress">Told the share of the weights that is there, 0 … 1.</param>
    /// <exception cref="NotSupportedException">The data type or a head's size is not what the kernels are made for: says which.</exception>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read.</exception>
    /// <exception cref="CudaException">The device's memory does not hold them.</exception>
    internal CudaNetwork(ICudaDevice device, ImageGptConfig config, ImageGptArchitecture architecture, ScalarType dtype, IWeightSource weights, IProgress<double>? progress = null)
    {
        if (!CudaModelRunner.Fits(config, dtype, dtype, out string reason))
            throw new NotSupportedException($"our CUDA kernels are not made for this model: {reason}");
        (_device, _source) = (device, weights);
        Layout = new CudaLayout(config, TorchModelRunner.ShapeOf(config, architecture), dtype);
        try
        {
            TokenEmbedding = Table("wte.weight", config.VocabSize);
            PositionEmbedding = Table("wpe.weight", config.PositionCount);
            FinalNorm = Vector("ln_f.weight");
            Blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer =>
            {
                progress?.Report(layer / (double)config.LayerCount);
                return AddBlock($"h.{layer}.");
            })];
            string head = config.TieWordEmbeddings ? "wte.weight" : WeightLayout.LanguageHead;
            int stored = config.TieWordEmbeddings ? config.VocabSize : config.VocabSize - 1;
            Head = architecture != ImageGptArchitecture.CausalImageModeling ? null
                : Own(new CudaMatrix(device, new CudaLinear(head, null, config.EmbeddingSize, stored, false, Same(config.EmbeddingSize), Same(Layout.Shape.LogitCount)), Layout.IsWide, weights));
            weights.RequireUnchanged();
            progress?.Report(1);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal CudaLayout Layout { get; }

    internal CudaMemory TokenEmbedding { get; }

    internal CudaMemory PositionEmbedding { get; }

    internal CudaMemory FinalNorm { get; }

    internal IReadOnlyList<Block> Blocks { get; }

    internal CudaMatrix? Head { get; }

    public void Dispose() => _owned.ForEach(one => one.Dispose());

    Block AddBlock(string prefix)
    {
        ImageGptConfig config = Layout.Config;
        (int width, int inner) = (config.EmbeddingSize, config.FeedForwardSize);
        int[] heads = Heads(1);
        return new Block(
            Vector(prefix + "ln_1.weight"),
            Linear(prefix + "attn.c_attn", (width, 3 * width), Same(width), Heads(3)),
            Linear(prefix + "attn.c_proj", (width, width), heads, Same(width)),
            Vector(prefix + "ln_2.weight"),
            Linear(prefix + "mlp.c_fc", (width, inner), Same(width), [.. Same(inner), .. Enumerable.Repeat(-1, Layout.InnerStride - inner)]), // what is behind it is read too: zeros
            Linear(prefix + "mlp.c_proj", (inner, width), Same(inner), Same(width)));
    }

    CudaMatrix Linear(string name, (int Inputs, int Outputs) stored, int[] inputOf, int[] outputOf) =>
        Own(new CudaMatrix(_device, new CudaLinear(name + ".weight", name + ".bias", stored.Inputs, stored.Outputs, true, inputOf, outputOf), Layout.IsWide, _source));

    static int[] Same(int count) => [.. Enumerable.Range(0, count)];

    // Each head in whole pieces: where its numbers are stored, −1 behind them.
    int[] Heads(int parts)
    {
        (int size, int stride) = (Layout.Config.HeadSize, Layout.HeadStride);
        return [.. Enumerable.Range(0, parts * Layout.Config.HeadCount * stride).Select(at => at % stride < size ? (at / stride * size) + (at % stride) : -1)];
    }

    // Float32.
    CudaMemory Vector(string name)
    {
        float[] values = new float[Layout.Config.EmbeddingSize];
        _source.Read(name, 0, values);
        CudaMemory memory = Own(new CudaMemory(_device, values.Length * sizeof(float)));
        memory.Upload<float>(values);
        return memory;
    }

    // [rows, E] in the weights' type.
    CudaMemory Table(string name, int rows)
    {
        float[] values = new float[rows * Layout.Config.EmbeddingSize];
        _source.Read(name, 0, values);
        CudaMemory memory = Own(new CudaMemory(_device, (long)values.Length * Layout.Size));
        if (Layout.IsWide)
            memory.Upload<float>(values);
        else
            memory.Upload<ushort>(Array.ConvertAll(values, BFloat16.Narrow));
        return memory;
    }

    T Own<T>(T one)
        where T : IDisposable
    {
        _owned.Add(one);
        return one;
    }

    internal sealed record Block(CudaMemory AttentionNorm, CudaMatrix QueryKeyValue, CudaMatrix AttentionOutput, CudaMemory MlpNorm, CudaMatrix MlpInner, CudaMatrix MlpOutput);
}
