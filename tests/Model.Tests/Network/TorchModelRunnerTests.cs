using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class TorchModelRunnerTests
{
    const double Tolerance = 1e-4;

    static readonly string[] Generating = [.. GoldenModel.Names.Where(name => name is "base-513" or "legacy-65" or "half-17" or "sharded-65" or "tied-17")];

    public static TheoryData<string> Models => [.. Generating];

    [Theory]
    [MemberData(nameof(Models))]
    public void Execute_PromptInChunksOfAnySize_EqualsTheDensePass(string name)
    {
        using var runner = new TorchModelRunner(GoldenModel.Load(GoldenSet.PathOf("models", name)), slots: 2);
        using ImageGpt dense = GoldenModel.Load(GoldenSet.PathOf("models", name));
        int length = Math.Min(runner.Shape.PositionCount, 60);
        int[] tokens = Tokens(runner.Shape, length, seed: 1);
        float[] expected = DenseLogits(dense, tokens);
        var random = new Random(2);
        double worst = 0;
        for (int round = 0; round < 5; round++)
        {
            float[] actual = [];
            for (int at = 0; at < length;)
            {
                int count = round == 0 ? length : Math.Min(length - at, random.Next(1, 9));
                actual = runner.Execute(Plan(new SequenceChunk { Slot = 1, Start = at, Tokens = tokens.AsMemory(at, count), WantsLogits = true }))[0].Logits.ToArray();
                at += count;
            }

            worst = Math.Max(worst, Difference(expected, actual));
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{name}: maximum difference {worst:E2} of the greatest magnitude");
        Assert.True(worst <= Tolerance, $"differs by {worst:E2}");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Execute_ThirtyTwoSequencesAtDifferentPositions_MakesTheTokensOfEachAlone(string name)
    {
        using var runner = new TorchModelRunner(GoldenModel.Load(GoldenSet.PathOf("models", name)), slots: 32);
        ModelShape shape = runner.Shape;
        int made = Math.Min(12, shape.PositionCount / 2);
        int[][] prompts = [.. Enumerable.Range(0, 32).Select(i => Tokens(shape, 1 + (i % (shape.PositionCount - made)), seed: i))];
        int[][] alone = [.. prompts.Select(prompt => Generate(runner, [prompt], made)[0])];
        int[][] together = Generate(runner, prompts, made);
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal(alone[i], together[i]);
        }
    }

    [Fact]
    public void Execute_CopiedPrefix_EqualsAComputedOne()
    {
        using var runner = new TorchModelRunner(GoldenModel.Load(GoldenSet.PathOf("models", Generating[0])), slots: 3);
        int[] tokens = Tokens(runner.Shape, 30, seed: 5);
        float[] expected = runner.Execute(Plan(new SequenceChunk { Slot = 0, Start = 0, Tokens = tokens, WantsLogits = true }))[0].Logits.ToArray();
        var copied = new StepPlan([new PrefixCopy(0, 2, 20)], [new SequenceChunk { Slot = 2, Start = 20, Tokens = tokens.AsMemory(20), WantsLogits = true }]);
        Assert.True(Difference(expected, runner.Execute(copied)[0].Logits.ToArray()) <= Tolerance);
    }

    [Fact]
    public void Execute_ScoresAndPooledStates_EqualTheDensePass()
    {
        string folder = GoldenSet.PathOf("models", Generating[0]);
        using var runner = new TorchModelRunner(GoldenModel.Load(folder), slots: 4);
        using ImageGpt dense = GoldenModel.Load(folder);
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        int[] tokens = Tokens(runner.Shape, 40, seed: 6);
        int[] targets = Tokens(runner.Shape, 41, seed: 7)[1..];
        int layers = runner.Shape.LayerCount;
        IReadOnlyList<ChunkOutput> outputs = runner.Execute(Plan(
            new SequenceChunk { Slot = 0, Start = 0, Tokens = tokens.AsMemory(0, 7) },
            new SequenceChunk { Slot = 1, Start = 0, Tokens = tokens, Targets = targets },
            new SequenceChunk { Slot = 2, Start = 0, Tokens = tokens, PooledLayers = [0, 1, layers] }));
        ImageGptOutput expected = dense.Forward(new ImageGptInput { Tokens = tensor(Array.ConvertAll(tokens, token => (long)token), [1, tokens.Length]), WantsHiddenStates = true });
        Tensor scores = nn.functional.log_softmax(expected.Logits![0], -1).gather(1, tensor(Array.ConvertAll(targets, token => (long)token)).unsqueeze(1)).squeeze(1);
        Assert.True(Difference(Comparison.ValuesOf(scores), outputs[1].LogProbabilities.ToArray()) <= Tolerance);
        Tensor pooled = cat([.. new[] { 0, 1, layers }.Select(layer => expected.HiddenStates[layer][0].sum(dim: 0))]);
        Assert.True(Difference(Comparison.ValuesOf(pooled), outputs[2].PooledSums.ToArray()) <= Tolerance);
        Assert.True(outputs[0].Logits.IsEmpty && outputs[0].PooledSums.IsEmpty);
    }

    [Fact]
    public void Execute_ThousandSteps_LeavesTensorsAndMemoryWhereTheyWere()
    {
        using var runner = new TorchModelRunner(GoldenModel.Load(GoldenSet.PathOf("models", Generating[0])), slots: 8);
        int[] tokens = Tokens(runner.Shape, 64, seed: 8);
        Steps(50);
        long memory = WorkingSet();
        long tensors = Tensor.TotalCount;
        Steps(1000);
        long grown = WorkingSet() - memory;
        TestContext.Current.TestOutputHelper!.WriteLine($"{tensors} tensors before, {Tensor.TotalCount} after; memory grew by {grown >> 10} KiB");
        Assert.Equal(tensors, Tensor.TotalCount);
        Assert.True(grown < 64 << 20, $"memory grew by {grown >> 20} MiB");

        void Steps(int count)
        {
            for (int i = 0; i < count; i++)
            {
                int start = i % 50;
                runner.Execute(new StepPlan(
                    i % 5 == 0 ? [new PrefixCopy(0, 7, 1 + start)] : [],
                    [
                        new SequenceChunk { Slot = 0, Start = start, Tokens = tokens.AsMemory(start, 1), WantsLogits = true },
                        new SequenceChunk { Slot = 1, Start = 0, Tokens = tokens.AsMemory(0, 16), Targets = tokens.AsMemory(1, 16) },
                        new SequenceChunk { Slot = 2, Start = 0, Tokens = tokens.AsMemory(0, 9), PooledLayers = [1] },
                    ]));
            }
        }
    }

    [Fact]
    public void Dispose_RunnerAndNetwork_FreesEveryTensor()
    {
        WorkingSet();
        long before = Tensor.TotalCount;
        using (var runner = new TorchModelRunner(GoldenModel.Load(GoldenSet.PathOf("models", Generating[0])), slots: 2))
        {
            runner.Execute(Plan(new SequenceChunk { Slot = 0, Start = 0, Tokens = new[] { 1, 2, 3 }, WantsLogits = true }));
            Assert.True(Tensor.TotalCount > before);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    static int[][] Generate(TorchModelRunner runner, int[][] prompts, int made)
    {
        var inputs = prompts.Select(prompt => prompt.ToList()).ToArray();
        for (int step = 0; step < made; step++)
        {
            SequenceChunk[] chunks = [.. inputs.Select((input, slot) => new SequenceChunk
            {
                Slot = slot,
                Start = step == 0 ? 0 : input.Count - 1,
                Tokens = step == 0 ? input.ToArray() : new[] { input[^1] },
                WantsLogits = true,
            })];
            IReadOnlyList<ChunkOutput> outputs = runner.Execute(new StepPlan([], chunks));
            for (int i = 0; i < inputs.Length; i++)
            {
                float[] logits = outputs[i].Logits.ToArray();
                inputs[i].Add(Array.IndexOf(logits, logits.Max()));
            }
        }

        return [.. inputs.Select((input, i) => input[prompts[i].Length..].ToArray())];
    }

    static StepPlan Plan(params SequenceChunk[] chunks) => new([], chunks);

    static int[] Tokens(ModelShape shape, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(i => i == 0 ? shape.StartToken : random.Next(shape.StartToken))];
    }

    static float[] DenseLogits(ImageGpt network, int[] tokens)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        return Comparison.ValuesOf(network.Forward(new ImageGptInput { Tokens = tensor(Array.ConvertAll(tokens, token => (long)token), [1, tokens.Length]) }).Logits!.select(1, -1));
    }

    static double Difference(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (left, right) => Math.Abs(left - (double)right)).Max() / expected.Max(value => Math.Abs((double)value));
    }

    /// <summary>After what other tests left to the collector is gone, tensors included.</summary>
    static long WorkingSet()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
