using IgptCluster.Engine.Runner;
using IgptCluster.Model.Torch;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;

namespace IgptCluster.Model.Tests.Network;

public sealed class RunnerRuleTests
{
    [Fact]
    public void Execute_BrokenPlan_NamesRuleAndValueAndStaysUsable()
    {
        using var runner = new TorchModelRunner(GoldenNetwork.LoadBundled("half-17"), new TorchRunnerOptions { Slots = 2 });
        float[] before = runner.Run(Chunk(0, 0, 16, 1, 2))[0].Logits.ToArray();
        AssertRefused(runner, "slot must be 0 to the number of slots − 1 = 1; given: 2", Chunk(2, 0, 1));
        AssertRefused(runner, "given: -1", Chunk(-1, 0, 1));
        AssertRefused(runner, "one chunk of a step only; given: 1", Chunk(1, 0, 1), Chunk(1, 1, 1));
        AssertRefused(runner, "at least one token; given: 0", Chunk(0, 0));
        AssertRefused(runner, "at least 0; given: -1", Chunk(0, -1, 1));
        AssertRefused(runner, "at the latest at n_positions = 16; given: 17", Chunk(0, 15, 1, 1));
        AssertRefused(runner, "n_positions = 16; given: 2147483648", Chunk(0, int.MaxValue, 1));
        AssertRefused(runner, "vocabulary size − 1 = 16; given: 17", Chunk(0, 0, 17));
        AssertRefused(runner, "as many as the chunk's logit rows = 1; given: 2", Chunk(0, 0, 1) with { Targets = Tokens(0, 2, 17) });
        AssertRefused(runner, "logit rows must be 0 to the chunk's tokens = 1; given: 2", Chunk(0, 0, 1) with { LogitRows = 2 });
        AssertRefused(runner, "logit rows must be 0 to the chunk's tokens = 1; given: -1", Chunk(0, 0, 1) with { LogitRows = -1 });
        AssertRefused(runner, "number of logits − 1 = 15; given: 16", Chunk(0, 0, 1) with { Targets = Tokens(0, 1, 17) });
        AssertRefused(runner, "ascend within 0 to n_layer = 2; given: 3", Chunk(0, 0, 1) with { PooledLayers = [1, 3] });
        AssertRefused(runner, "pooled layers' numbers", Chunk(0, 0, 1) with { PooledLayers = [1], PooledBefore = new double[3] });
        AssertRefused(runner, "ascend within 0 to n_layer = 2; given: 1", Chunk(0, 0, 1) with { PooledLayers = [1, 1] });
        Assert.Throws<ArgumentException>(() => runner.Execute(new StepPlan([new PrefixCopy(0, 2, 1)], [])));
        Assert.Throws<ArgumentException>(() => runner.Execute(new StepPlan([new PrefixCopy(0, 1, 17)], [])));
        Assert.Equal(before, runner.Run(Chunk(1, 0, 16, 1, 2))[0].Logits.ToArray());
    }

    [Fact]
    public void Execute_LogitsOfAClassifier_IsRefused()
    {
        using var runner = new TorchModelRunner(GoldenNetwork.LoadBundled("classifier-65"), new TorchRunnerOptions { Slots = 1 });
        AssertRefused(runner, "language-model head", Chunk(0, 0, 1));
    }

    [Fact]
    public void Execute_CopiesOnly_GivesNoOutput()
    {
        using var runner = new TorchModelRunner(GoldenNetwork.LoadBundled("half-17"), new TorchRunnerOptions { Slots = 2 });
        Assert.Empty(runner.Execute(new StepPlan([new PrefixCopy(0, 1, 4)], [])));
    }

    [Theory]
    [InlineData(false, ImageGptArchitecture.CausalImageModeling, 16)]
    [InlineData(true, ImageGptArchitecture.CausalImageModeling, 17)]
    [InlineData(false, ImageGptArchitecture.ImageClassification, 0)]
    [InlineData(false, ImageGptArchitecture.Model, 0)]
    public void ShapeOf_EachArchitecture_GivesItsSizes(bool isTied, ImageGptArchitecture architecture, int logits)
    {
        var config = new ImageGptConfig { VocabSize = 17, PositionCount = 16, EmbeddingSize = 24, LayerCount = 2, HeadCount = 3, TieWordEmbeddings = isTied };
        ModelShape expected = new() { VocabularySize = 17, LogitCount = logits, PositionCount = 16, LayerCount = 2, EmbeddingSize = 24 };
        Assert.Equal(expected, TorchModelRunner.ShapeOf(config, architecture));
        Assert.Equal(2 * 2 * 16 * 24 * 4, TorchModelRunner.SlotBytes(config, TorchSharp.torch.ScalarType.Float32));
        Assert.Equal(2 * 2 * 16 * 24 * 2, TorchModelRunner.SlotBytes(config, TorchSharp.torch.ScalarType.BFloat16));
    }

    static void AssertRefused(TorchModelRunner runner, string message, params SequenceChunk[] chunks) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => runner.Run(chunks)).Message, StringComparison.Ordinal);
}
