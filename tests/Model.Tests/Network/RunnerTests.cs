using IgptCluster.Engine.Runner;
using IgptCluster.Model.Torch;
using TorchSharp;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class RunnerTests
{
    public static TheoryData<string, string> Greedies => GoldenNetwork.Cases("generate_greedy");

    // Inverse layer scale with another activation; unscaled upcast; both; and the plain one.
    public static TheoryData<string> CausalModels => ["legacy-65", "half-17", "sharded-65", "base-513", "tied-17"];

    [Theory]
    [MemberData(nameof(Greedies))]
    public void Execute_GreedyDecoding_GivesHuggingFacesTokens(string model, string name)
    {
        var golden = new GoldenCase(model, name);
        int rows = (int)golden.Shape("sequences")[0];
        int length = (int)golden.Shape("sequences")[1];
        int[][] expected = [.. golden.Integers("outputs", "sequences").Select(id => (int)id).Chunk(length)];
        int prompt = golden.Integers("inputs", "input_ids").Length / rows;
        foreach (IModelRunner runner in GoldenNetwork.Runners(model, rows))
        {
            using (runner)
            {
                int[][] given = [.. expected.Select(row => row[..prompt])];
                for (int start = 0; start + given[0].Length < length;)
                {
                    SequenceChunk[] chunks = [.. given.Select((tokens, slot) => Chunk(slot, start, tokens))];
                    start += given[0].Length;
                    given = [.. runner.Run(chunks).Select(output => new[] { output.Greedy() })];
                    Assert.Equal(expected.Select(row => row[start]), given.Select(tokens => tokens[0]));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(CausalModels))]
    public void Execute_PromptInAnySplit_GivesTheDenseLogits(string model)
    {
        using ImageGpt dense = GoldenNetwork.LoadBundled(model);
        foreach (IModelRunner runner in GoldenNetwork.BundledRunners(model, 3))
        {
            using (runner)
            {
                int[] tokens = Tokens(1, Math.Min(dense.Config.PositionCount, 100), dense.Config.VocabSize);
                float[] expected = DenseLogits(dense, tokens);
                var random = new Random(5);
                for (int trial = 0; trial < 6; trial++)
                {
                    int largest = trial == 0 ? tokens.Length : random.Next(1, tokens.Length);
                    ChunkOutput last = default;
                    for (int start = 0; start < tokens.Length;)
                    {
                        int end = Math.Min(tokens.Length, start + random.Next(1, largest + 1));
                        last = runner.Run(Chunk(trial % 3, start, tokens[start..end]))[0];
                        start = end;
                    }

                    AssertClose(expected.AsSpan(^dense.LogitCount..), last.Logits.Span, $"{model}, split {trial}");
                }
            }
        }
    }

    [Fact]
    public void Execute_MixedStep_GivesEachChunkWhatItGetsAlone()
    {
        const string Model = "base-513";
        using var together = new TorchModelRunner(GoldenNetwork.LoadBundled(Model), new TorchRunnerOptions { Slots = 4 });
        using var alone = new TorchModelRunner(GoldenNetwork.LoadBundled(Model), new TorchRunnerOptions { Slots = 4 });
        int[][] tokens = [.. Enumerable.Range(0, 4).Select(row => Tokens(row, 60, 513))];
        SequenceChunk[] first = [Chunk(2, 0, tokens[2][..30]), Chunk(0, 0, tokens[0][..7])];
        SequenceChunk[] mixed =
        [
            Chunk(0, 7, tokens[0][7]),
            Chunk(3, 0, tokens[3][..50]) with { LogitRows = 0 },
            Chunk(2, 30, tokens[2][30..60]).Scoring(tokens[2].AsMemory(1..31)) with { PooledLayers = [0, 3] },
            Chunk(1, 0, tokens[1][0]) with { PooledLayers = [2] },
        ];
        together.Run(first);
        ChunkOutput[] outputs = [.. together.Run(mixed)];
        for (int index = 0; index < mixed.Length; index++)
        {
            foreach (SequenceChunk before in first.Where(chunk => chunk.Slot == mixed[index].Slot))
            {
                alone.Run(before);
            }

            ChunkOutput expected = alone.Run(mixed[index])[0];
            Assert.Equal(mixed[index].Targets.IsEmpty ? mixed[index].LogitRows * 512 : 0, outputs[index].Logits.Length);
            Assert.Equal(mixed[index].Targets.Length, outputs[index].LogProbabilities.Length);
            Assert.Equal(mixed[index].PooledLayers.Count * 48, outputs[index].PooledSums.Length);
            AssertClose(expected.Logits.Span, outputs[index].Logits.Span, $"chunk {index} logits");
            AssertClose(expected.LogProbabilities.Span, outputs[index].LogProbabilities.Span, $"chunk {index} log-probabilities");
            AssertClose(expected.PooledSums.Span, outputs[index].PooledSums.Span, $"chunk {index} pooled sums");
        }
    }

    [Theory]
    [MemberData(nameof(CausalModels))]
    public void Execute_PrefixCopy_LetsTheTargetGoOnAlone(string model)
    {
        using ImageGpt dense = GoldenNetwork.LoadBundled(model);
        foreach (IModelRunner runner in GoldenNetwork.BundledRunners(model, 3))
        {
            using (runner)
            {
                int[] tokens = Tokens(2, Math.Min(dense.Config.PositionCount, 40), dense.Config.VocabSize);
                int[] fork = [.. tokens[..8], .. Tokens(3, tokens.Length - 7, dense.Config.VocabSize)[1..]];
                runner.Run(Chunk(1, 0, tokens[..10]));

                // The copy takes 8 of 10 tokens; source and target then go different ways in one step.
                ChunkOutput[] outputs = [.. runner.Execute(new StepPlan([new PrefixCopy(1, 2, 8)], [Chunk(2, 8, fork[8..]), Chunk(1, 10, tokens[10..])]))];
                AssertClose(DenseLogits(dense, fork).AsSpan(^dense.LogitCount..), outputs[0].Logits.Span, $"{model} target");
                AssertClose(DenseLogits(dense, tokens).AsSpan(^dense.LogitCount..), outputs[1].Logits.Span, $"{model} source");
            }
        }
    }

    [Fact]
    public void Execute_ThirtyTwoSequencesAtDifferentPositions_GivesTheTokensOfEachAlone()
    {
        const string Model = "base-513";
        const int Count = 32;
        const int Steps = 20;
        using var runner = new TorchModelRunner(GoldenNetwork.LoadBundled(Model), new TorchRunnerOptions { Slots = Count + 1 });
        int[][] prompts = [.. Enumerable.Range(0, Count).Select(row => Tokens(100 + row, 1 + (row * 13), 513))];
        int[][] alone = [.. prompts.Select(prompt => Decode(runner, [prompt], [Count], Steps)[0])];
        int[][] together = Decode(runner, prompts, [.. Enumerable.Range(0, Count)], Steps);
        Assert.Equal(alone, together);
        Assert.True(alone.SelectMany(row => row).Distinct().Count() > 10, "the sequences must differ to show anything");
    }

    [Theory]
    [MemberData(nameof(CausalModels))]
    public void Execute_Targets_GivesTheirLogProbabilities(string model)
    {
        using ImageGpt dense = GoldenNetwork.LoadBundled(model);
        foreach (IModelRunner runner in GoldenNetwork.BundledRunners(model, 1))
        {
            using (runner)
            {
                int[] tokens = Tokens(4, Math.Min(dense.Config.PositionCount, 90), dense.Config.VocabSize);
                int[] targets = [.. tokens[1..], 3];
                float[] logits = DenseLogits(dense, tokens);
                float[] expected = [.. targets.Select((target, position) => LogProbability(logits.AsSpan(position * dense.LogitCount, dense.LogitCount), target))];
                int half = tokens.Length / 2;
                float[] first = runner.Run(Chunk(0, 0, tokens[..half]).Scoring(targets.AsMemory(..half)))[0].LogProbabilities.ToArray();
                ChunkOutput second = runner.Run(Chunk(0, half, tokens[half..]).Scoring(targets.AsMemory(half..)))[0];
                AssertClose(expected, [.. first, .. second.LogProbabilities.Span], $"{model} log-probabilities");
                Assert.True(second.Logits.IsEmpty);
            }
        }
    }

    [Theory]
    [InlineData("classifier-65")]
    [InlineData("plain-17-bf16")]
    [InlineData("sharded-65")]
    public void Execute_PooledLayers_GivesTheSumsOfEveryHiddenState(string model)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        using ImageGpt dense = GoldenNetwork.LoadBundled(model);
        foreach (IModelRunner runner in GoldenNetwork.BundledRunners(model, 2))
        {
            using (runner)
            {
                int[] tokens = Tokens(6, dense.Config.PositionCount, dense.Config.VocabSize);
                Tensor ids = tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0);
                Tensor hidden = stack(dense.Forward(new ImageGptInput { TokenIds = ids, WantsHiddenStates = true }).HiddenStates).squeeze(1); // [L + 1, T, E]
                int[] layers = [.. Enumerable.Range(0, dense.Config.LayerCount + 1)];
                int half = tokens.Length / 2;
                double[] before = [];
                foreach (var (start, end) in new[] { (0, half), (half, tokens.Length) })
                {
                    SequenceChunk chunk = Chunk(1, start, tokens[start..end]) with { LogitRows = 0, PooledLayers = layers, PooledBefore = before };
                    double[] expected = hidden.narrow(1, 0, end).to_type(ScalarType.Float64).sum(1).flatten().data<double>().ToArray();
                    before = runner.Run(chunk)[0].PooledSums.ToArray();
                    AssertClose(expected, before, $"{model} pooled sums of 0 to {end}");
                }
            }
        }
    }

    static int[][] Decode(TorchModelRunner runner, int[][] prompts, int[] slots, int steps)
    {
        int[][] given = prompts;
        int[] starts = new int[prompts.Length];
        var tokens = prompts.Select(_ => new List<int>()).ToArray();
        for (int step = 0; step < steps; step++)
        {
            SequenceChunk[] chunks = [.. given.Select((fed, row) => Chunk(slots[row], starts[row], fed))];
            int[] next = [.. runner.Run(chunks).Select(output => output.Greedy())];
            for (int row = 0; row < prompts.Length; row++)
            {
                starts[row] += given[row].Length;
                tokens[row].Add(next[row]);
            }

            given = [.. next.Select(token => new[] { token })];
        }

        return [.. tokens.Select(row => row.ToArray())];
    }

    static float[] DenseLogits(ImageGpt network, int[] tokens)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor ids = tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0);
        return network.Forward(new ImageGptInput { TokenIds = ids }).Logits!.flatten().data<float>().ToArray();
    }

    static float LogProbability(ReadOnlySpan<float> logits, int target)
    {
        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit);
        }

        return (float)(logits[target] - Math.Log(sum));
    }
}
