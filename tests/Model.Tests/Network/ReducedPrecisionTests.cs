using IgptCluster.Engine.Runner;
using IgptCluster.Model.Torch;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class ReducedPrecisionTests
{
    // half-17 and sharded-65 upcast attention scores, the others do not; the bounds are a few roundings of the type.
    [Theory]
    [InlineData("base-513", ScalarType.BFloat16, 0.04f)]
    [InlineData("legacy-65", ScalarType.BFloat16, 0.04f)]
    [InlineData("half-17", ScalarType.BFloat16, 0.04f)]
    [InlineData("sharded-65", ScalarType.BFloat16, 0.04f)]
    [InlineData("base-513", ScalarType.Float16, 0.005f)]
    [InlineData("half-17", ScalarType.Float16, 0.005f)]
    public void Execute_SixteenBit_StaysNearFloat32(string model, ScalarType dtype, float tolerance)
    {
        using var wide = new TorchModelRunner(GoldenNetwork.LoadBundled(model), new TorchRunnerOptions { Slots = 1 });
        using var narrow = new TorchModelRunner(GoldenNetwork.LoadBundled(model, dtype), new TorchRunnerOptions { Slots = 1 });
        int[] tokens = Tokens(8, Math.Min(wide.Shape.PositionCount, 60), wide.Shape.VocabularySize);
        int[] targets = [.. tokens.Select(token => token % wide.Shape.LogitCount)];
        SequenceChunk[] chunks =
        [
            Chunk(0, 0, tokens[..9]),
            Chunk(0, 9, tokens[9..^1]).Scoring(targets.AsMemory(9..^1)) with { PooledLayers = [0, wide.Shape.LayerCount] },
            Chunk(0, tokens.Length - 1, tokens[^1]),
        ];
        foreach (SequenceChunk chunk in chunks)
        {
            ChunkOutput expected = wide.Run(chunk)[0];
            ChunkOutput actual = narrow.Run(chunk)[0];
            AssertClose(expected.Logits.Span, actual.Logits.Span, $"{model} {dtype} logits", tolerance);
            AssertClose(expected.LogProbabilities.Span, actual.LogProbabilities.Span, $"{model} {dtype} log-probabilities", tolerance);
            AssertClose(expected.PooledSums.Span, actual.PooledSums.Span, $"{model} {dtype} pooled sums", tolerance);
        }
    }
}
