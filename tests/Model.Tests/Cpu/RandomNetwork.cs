using System.Runtime.InteropServices;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Cpu;

/// <summary>Random weights, large enough that attention and MLPs matter, for both runners.</summary>
sealed class RandomNetwork : IWeightSource, IDisposable
{
    readonly Dictionary<string, Tensor> _weights = [];

    /// <param name="sizes">Width, layers, heads, vocabulary, positions, and the MLP's inner width if it is not four times the width.</param>
    /// <param name="change">Changes weights by name.</param>
    public RandomNetwork(string sizes, Func<string, Tensor, Tensor>? change = null)
    {
        Assert.SkipUnless(CpuNetwork.Fits(new ImageGptConfig()), "this machine has no vectors for the runner");
        int[] numbers = [.. sizes.Split(' ').Select(int.Parse)];
        Config = new ImageGptConfig { EmbeddingSize = numbers[0], LayerCount = numbers[1], HeadCount = numbers[2], VocabSize = numbers[3], PositionCount = numbers[4], InnerSize = numbers.Length > 5 ? numbers[5] : null };
        using var scope = NewDisposeScope();
        using var generator = new Generator(11);
        foreach (WeightShape weight in WeightLayout.Of(Config, ImageGptArchitecture.CausalImageModeling))
        {
            Tensor values = randn([.. weight.Shape], generator: generator) * 0.08 + (weight.Name.Contains("ln_", StringComparison.Ordinal) ? 1 : 0);
            _weights.Add(weight.Name, (change?.Invoke(weight.Name, values) ?? values).MoveToOuterDisposeScope());
        }
    }

    public ImageGptConfig Config { get; }

    public Engine.Runner.ModelShape Shape => TorchModelRunner.ShapeOf(Config, ImageGptArchitecture.CausalImageModeling);

    public TorchModelRunner Plain(int slots) =>
        new(new ImageGpt(Config, ImageGptArchitecture.CausalImageModeling, Weight, dtype: ScalarType.Float32), new TorchRunnerOptions { Slots = slots });

    public CpuModelRunner Runner(ScalarType weights, ScalarType cache, int slots, int threads = 2) => new(
        new CpuNetwork(Config, ImageGptArchitecture.CausalImageModeling, weights, this), new CpuRunnerOptions { Slots = slots, KeyValueType = cache, Threads = threads });

    public bool IsShared => true;

    public void Read(string name, long start, Span<float> values) => MemoryMarshal.Cast<byte, float>(_weights[name].bytes).Slice((int)start, values.Length).CopyTo(values);

    public void Dispose()
    {
        foreach (Tensor weight in _weights.Values)
            weight.Dispose();
    }

    Tensor Weight(string name) => _weights[name].clone();
}
