using IgptCluster.Engine.Runner;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Tests.Network;
using IgptCluster.Model.Torch;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Cpu;

/// <summary>The runner of our own beside the plain one.</summary>
public sealed class CpuRunnerTests
{
    // Sizes that fill vectors and panels, and sizes that do not; then the weights' type, the cache's, and a few of its roundings.
    public static TheoryData<string, ScalarType, ScalarType, float> Numbers
    {
        get
        {
            var data = new TheoryData<string, ScalarType, ScalarType, float>();
            foreach (string sizes in new[] { "128 3 4 65 256", "24 2 3 17 64 40", "96 2 2 513 100" })
            {
                data.Add(sizes, ScalarType.Float32, ScalarType.Float32, 1e-5f);
                data.Add(sizes, ScalarType.Float32, ScalarType.BFloat16, 0.02f);
                data.Add(sizes, ScalarType.Float32, ScalarType.Int8, 0.03f);
                data.Add(sizes, ScalarType.BFloat16, ScalarType.BFloat16, 0.03f);
                data.Add(sizes, ScalarType.BFloat16, ScalarType.Int8, 0.03f);
                data.Add(sizes, ScalarType.Int8, ScalarType.BFloat16, 0.1f);
                data.Add(sizes, ScalarType.Int8, ScalarType.Int8, 0.1f);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Execute_ChunksOfAnyLength_StaysNearThePlainRunner(string sizes, ScalarType weights, ScalarType cache, float tolerance)
    {
        using var model = new RandomNetwork(sizes);
        using TorchModelRunner plain = model.Plain(slots: 3);
        using CpuModelRunner runner = model.Runner(weights, cache, slots: 3);
        var random = new Random(7);
        int[][] tokens = [.. Enumerable.Range(0, 3).Select(slot => Tokens(slot, model.Config.PositionCount, model.Config.VocabSize))];
        int[] starts = new int[tokens.Length];
        while (starts.Any(start => start < model.Config.PositionCount))
        {
            var chunks = new List<SequenceChunk>();
            for (int slot = 0; slot < tokens.Length; slot++)
            {
                int length = Math.Min(random.Next(4) == 0 ? random.Next(1, 50) : random.Next(3), model.Config.PositionCount - starts[slot]);
                if (length == 0)
                    continue;
                int[] fed = tokens[slot][starts[slot]..(starts[slot] + length)];
                int[] targets = [.. fed.Select(token => (token * 7) % model.Shape.LogitCount)];
                SequenceChunk chunk = Chunk(slot, starts[slot], fed) with { LogitRows = random.Next(length + 1) };
                chunks.Add((random.Next(2) == 0 ? chunk.Scoring(targets.AsMemory(random.Next(length))) : chunk) with
                {
                    PooledLayers = random.Next(2) == 0 ? [0, 1, model.Config.LayerCount] : [],
                });
                starts[slot] += length;
            }

            ChunkOutput[] expected = [.. plain.Run([.. chunks])];
            ChunkOutput[] actual = [.. runner.Run([.. chunks])];
            for (int index = 0; index < chunks.Count; index++)
            {
                AssertClose(expected[index].Logits.Span, actual[index].Logits.Span, "logits", tolerance);
                AssertClose(expected[index].LogProbabilities.Span, actual[index].LogProbabilities.Span, "log-probabilities", tolerance);
                AssertClose(expected[index].PooledSums.Span, actual[index].PooledSums.Span, "pooled sums", tolerance);
            }
        }
    }

    // What failover and forks rest on: a session that is prefilled again elsewhere goes on with the same bits.
    [Theory]
    [InlineData(ScalarType.Float32, ScalarType.Float32, 1)]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16, 2)]
    [InlineData(ScalarType.BFloat16, ScalarType.Int8, 2)]
    [InlineData(ScalarType.Int8, ScalarType.Int8, 3)]
    public void Execute_AnySplitBatchThreadsOrFork_GivesTheSameBits(ScalarType weights, ScalarType cache, int threads)
    {
        using var model = new RandomNetwork("128 3 4 65 256");
        using CpuModelRunner whole = model.Runner(weights, cache, slots: 1, threads: 1);
        using CpuModelRunner parts = model.Runner(weights, cache, slots: 4, threads);
        int[] tokens = Tokens(1, 200, model.Config.VocabSize);
        int[] others = Tokens(2, 256, model.Config.VocabSize);
        int[] layers = [0, 2, 3];
        float[][] expected = [.. tokens.Select((_, last) => whole.Run(Chunk(0, 0, tokens[..(last + 1)]))[0].Logits.ToArray())];
        double[] expectedSums = whole.Run(Chunk(0, 0, tokens) with { PooledLayers = layers })[0].PooledSums.ToArray();
        double[] sums = [];
        var random = new Random(3);
        for (int start = 0, other = 0; start < tokens.Length;)
        {
            int end = Math.Min(tokens.Length, start + random.Next(1, 30));
            int rows = random.Next(1, end - start + 1);
            var chunks = new List<SequenceChunk> { Chunk(0, start, tokens[start..end]) with { LogitRows = rows, PooledLayers = layers, PooledBefore = sums } };
            for (int slot = 1; slot < 3 && other + 9 < others.Length; slot++)
                chunks.Insert(random.Next(2), Chunk(slot, other, others[other..(other + slot)]));
            other += 2;
            int own = chunks.FindIndex(chunk => chunk.Slot == 0);
            ChunkOutput output = parts.Run([.. chunks])[own];
            Assert.Equal(expected[(end - rows)..end].SelectMany(row => row), output.Logits.ToArray());
            sums = output.PooledSums.ToArray();
            start = end;
        }

        Assert.Equal(expectedSums, sums);
        ChunkOutput fork = parts.Execute(new StepPlan([new PrefixCopy(0, 3, 101)], [Chunk(3, 101, tokens[101..150])]))[0];
        Assert.Equal(expected[149], fork.Logits.ToArray());
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int8)]
    public void Execute_SlotOfABrokenSequence_ServesTheNextOneAsIfItWereNew(ScalarType cache)
    {
        // A colour whose embedding is not a number breaks all that sees it.
        using var model = new RandomNetwork("64 2 2 17 64", (name, weight) => name == "wte.weight" ? weight.index_fill(0, tensor([5L]), float.NaN) : weight);
        using CpuModelRunner runner = model.Runner(ScalarType.Float32, cache, slots: 2);
        int[] tokens = [.. Tokens(1, 40, 17).Select(token => token == 5 ? 6 : token)];
        int[] broken = [.. tokens[..10], 5, .. tokens[10..39]];
        float[] expected = runner.Run(Chunk(0, 0, tokens))[0].Logits.ToArray();
        Assert.True(expected.All(float.IsFinite));
        Assert.DoesNotContain(runner.Run(Chunk(1, 0, broken))[0].Logits.ToArray(), float.IsFinite);
        Assert.Equal(expected, runner.Run(Chunk(1, 0, tokens))[0].Logits.ToArray());
    }

    [Fact]
    public void Execute_ThousandDecodeSteps_AllocatesNothing()
    {
        using var model = new RandomNetwork("128 3 4 65 256");
        using CpuModelRunner runner = model.Runner(ScalarType.BFloat16, ScalarType.BFloat16, slots: 8);
        StepPlan[] plans = [.. Enumerable.Range(0, 100).Select(step => new StepPlan([], [.. Enumerable.Range(0, 8).Select(slot => Chunk(slot, step, slot))]))];
        long live = Tensor.TotalCount;
        Array.ForEach(plans, plan => runner.Execute(plan));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 10; round++)
            Array.ForEach(plans, plan => runner.Execute(plan));
        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / (10 * plans.Length * 8);
        Assert.Equal(0, each);
        Assert.Equal(live, Tensor.TotalCount);
    }

    [Fact]
    public void Fits_ActivationOfOtherCheckpoints_IsLeftToThePlainRunner() =>
        Assert.False(CpuNetwork.Fits(new ImageGptConfig { ActivationFunction = "gelu" }));
}
