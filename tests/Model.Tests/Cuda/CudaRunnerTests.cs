using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Tests.Network;
using IgptCluster.Tests.Shared;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Cuda;

/// <summary>The runner on CUDA with its kernels on a processor; parity in float32 is tested with the other runners, in <see cref="RunnerTests"/>.</summary>
public sealed class CudaRunnerTests
{
    const float Bf16Tolerance = 2e-2f;

    public static TheoryData<string, string> Decodes => GoldenNetwork.Cases("decode");

    public static TheoryData<string, string> Greedies => GoldenNetwork.Cases("generate_greedy");

    [Theory]
    [MemberData(nameof(Decodes))]
    public void Execute_Decoding_GivesHuggingFacesLogits(string model, string name)
    {
        SkipWithoutShim();
        var golden = new GoldenCase(model, name);
        Assert.SkipWhen(golden.HasInput("attention_mask") || golden.HasInput("position_ids") || !golden.HasOutput("logits"), "serving has no padding, and this model may have no head");
        (int rows, int width) = ((int)golden.Shape("logits")[0], (int)golden.Shape("logits")[2]);
        int stored = golden.Json.GetProperty("stored_from_position").GetInt32();
        float[] expected = golden.Expected("logits").flatten().data<float>().ToArray();
        int[][] tokens = [.. golden.Integers("inputs", "input_ids").Select(id => (int)id).Chunk(golden.Integers("inputs", "input_ids").Length / rows)];
        foreach ((ScalarType dtype, float tolerance) in new[] { (ScalarType.Float32, 1e-4f), (ScalarType.BFloat16, Bf16Tolerance) })
        {
            using var device = new HostDevice();
            using CudaModelRunner runner = Load(device, GoldenSet.PathOf("models", model), dtype, rows);
            int start = 0;
            foreach (int length in (int[])[golden.Json.GetProperty("prefill").GetInt32(), .. golden.Json.GetProperty("chunks").EnumerateArray().Select(chunk => chunk.GetInt32())])
            {
                IReadOnlyList<ChunkOutput> outputs = runner.Run([.. tokens.Select((row, slot) => Chunk(slot, start, row[start..(start + length)]))]);
                start += length;
                int positions = expected.Length / rows / width;
                for (int row = 0; row < rows; row++)
                    AssertClose(expected.AsSpan(((row * positions) + start - 1 - stored) * width, width), outputs[row].Logits.Span, $"{model}/{name} {dtype} row {row} at {start - 1}", tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Greedies))]
    public void Execute_GreedyInBrainFloat_AgreesWithHuggingFace(string model, string name)
    {
        SkipWithoutShim();
        var golden = new GoldenCase(model, name);
        (int rows, int length) = ((int)golden.Shape("sequences")[0], (int)golden.Shape("sequences")[1]);
        int[][] expected = [.. golden.Integers("outputs", "sequences").Select(id => (int)id).Chunk(length)];
        int prompt = golden.Integers("inputs", "input_ids").Length / rows;
        float[] margins = golden.Expected("margins").flatten().data<float>().ToArray();
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, GoldenSet.PathOf("models", model), ScalarType.BFloat16, rows);
        (int start, int other) = (0, 0);
        for (int end = prompt; end < length; end++)
        {
            IReadOnlyList<ChunkOutput> outputs = runner.Run([.. expected.Select((row, slot) => Chunk(slot, start, row[start..end]))]);
            for (int row = 0; row < rows; row++)
            {
                // Where the two best are closer than the roundings of the type, either is right.
                bool isClear = margins[(row * (length - prompt)) + end - prompt] > Bf16Tolerance * outputs[row].Logits.Span.ToArray().Max(Math.Abs);
                other += isClear && outputs[row].Greedy() != expected[row][end] ? 1 : 0;
            }

            start = end;
        }

        Assert.Equal(0, other);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_RaggedBatches_GiveEachSequenceItsBitsAlone(ScalarType dtype)
    {
        SkipWithoutShim();
        const string Model = "base-513";
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", Model), dtype, 65);
        int[][] prompts = [.. Enumerable.Range(0, 64).Select(row => Tokens(row, row == 23 ? 300 : 1 + (row * 37 % 60), 513))]; // one goes beyond a run of keys
        uint[][] alone = [.. prompts.Select(prompt => Bits(runner.Run(Chunk(64, 0, prompt))[0]))];
        foreach (int count in new[] { 2, 7, 16, 17, 33, 64 })
        {
            IReadOnlyList<ChunkOutput> outputs = runner.Run([.. prompts[..count].Select((prompt, slot) => Chunk(slot, 0, prompt))]);
            for (int row = 0; row < count; row++)
                Assert.Equal(alone[row], Bits(outputs[row]));
        }

        // The same behind a cache that was filled in pieces.
        for (int row = 0; row < 8; row++)
        {
            int[] prompt = prompts[row + 20];
            runner.Run(Chunk(row, 0, prompt[..(prompt.Length / 3)]));
            runner.Run([Chunk(row, prompt.Length / 3, prompt[(prompt.Length / 3)..^1]), Chunk(64, 0, prompts[row])]);
            Assert.Equal(alone[row + 20], Bits(runner.Run(Chunk(row, prompt.Length - 1, prompt[^1]))[0]));
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_PromptInAnyChunks_GivesEachPositionTheSameBits(ScalarType dtype)
    {
        // Beyond a run of 256 keys; cuts inside and at the edges of what attention takes together, down to token by token.
        SkipWithoutShim();
        const int Length = 280;
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", "base-513"), dtype, 2);
        int[] tokens = Tokens(4, Length + 1, 513);
        uint[] whole = Scores(Length);
        foreach (int size in new[] { 1, 5, 16, 33, 255 })
            Assert.Equal(whole, Scores(size));

        uint[] Scores(int size) => [.. Enumerable.Range(0, (Length + size - 1) / size).SelectMany(chunk =>
        {
            (int start, int end) = (chunk * size, Math.Min(Length, (chunk + 1) * size));
            ChunkOutput output = runner.Run(Chunk(size % 2, start, tokens[start..end]).Scoring(tokens.AsMemory((start + 1)..(end + 1))))[0];
            return output.LogProbabilities.ToArray().Select(BitConverter.SingleToUInt32Bits);
        })];
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_DecodingInAnyBucket_GivesEachRowTheBitsOfKernelsOneByOne(ScalarType dtype)
    {
        SkipWithoutShim();
        const string Model = "sharded-65";
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", Model), dtype, 64);
        int[][] prompts = [.. Enumerable.Range(0, 64).Select(row => Tokens(row, 3 + (row * 7 % 20), 65))];
        (uint[] Prefilled, uint[] Decoded)[] alone = [.. prompts.Select(prompt => (Bits(runner.Run(Chunk(63, 0, prompt[..^1]))[0]), Bits(runner.Run(Chunk(63, 0, prompt))[0])))];
        Assert.Equal(0, device.Captures);
        runner.Run([.. prompts.Select((prompt, slot) => Chunk(slot, 0, prompt[..^1]))]);
        foreach (int count in new[] { 1, 2, 3, 4, 5, 8, 13, 16, 17, 33, 64 })
        {
            IReadOnlyList<ChunkOutput> outputs = runner.Run([.. prompts[..count].Select((prompt, slot) => Chunk(slot, prompt.Length - 1, prompt[^1]))]);
            for (int row = 0; row < count; row++)
                Assert.Equal(alone[row].Decoded, Bits(outputs[row]));
        }

        Assert.Equal(7, device.Captures); // 1, 2, 4 … 64
        Assert.Equal(alone[5].Prefilled, Bits(runner.Run(Chunk(5, 0, prompts[5][..^1]))[0])); // what is padding has touched no slot
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_GuessesBehindTheLastToken_GiveEachRowTheBitsOfOneByOne(ScalarType dtype)
    {
        // By a graph where all rows' logits are wanted, beside a prompt kernel by kernel.
        SkipWithoutShim();
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", "base-513"), dtype, 4);
        int[] tokens = Tokens(5, 30, 513);
        uint[][] expected = [.. tokens.Select((token, position) => Bits(runner.Run(Chunk(0, position, token))[0]))];
        int captures = device.Captures;
        runner.Run(Chunk(1, 0, tokens[..20]), Chunk(2, 0, tokens[..3]));
        IReadOnlyList<ChunkOutput> outputs = runner.Run(Chunk(1, 20, tokens[20..29]) with { LogitRows = 9 }, Chunk(2, 3, tokens[3..5]) with { LogitRows = 2 });
        Assert.Equal(expected[20..29].SelectMany(row => row), Bits(outputs[0]));
        Assert.Equal(expected[3..5].SelectMany(row => row), Bits(outputs[1]));
        Assert.Equal(captures + 1, device.Captures);
        outputs = runner.Run(Chunk(3, 0, tokens[..20]), Chunk(2, 5, tokens[5..12]) with { LogitRows = 7 }, Chunk(1, 26, tokens[26..30]) with { LogitRows = 2 });
        Assert.Equal(expected[19], Bits(outputs[0]));
        Assert.Equal(expected[5..12].SelectMany(row => row), Bits(outputs[1]));
        Assert.Equal(expected[28..].SelectMany(row => row), Bits(outputs[2]));
        Assert.Equal(captures + 1, device.Captures);
    }

    [Fact]
    public void Execute_BuffersThatMovedBetweenGraphs_AreRecordedAgain()
    {
        SkipWithoutShim();
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", "base-513"), ScalarType.Float32, 2);
        int[] tokens = Tokens(3, 40, 513);
        uint[] expected = Bits(runner.Run(Chunk(0, 0, tokens[..2]))[0]);
        runner.Run(Chunk(0, 0, tokens[..1]));
        Assert.Equal(expected, Bits(runner.Run(Chunk(0, 1, tokens[1]))[0]));
        runner.Run(Chunk(1, 0, tokens)); // more rows than decoding ever has
        Assert.Equal(expected, Bits(runner.Run(Chunk(0, 1, tokens[1]))[0]));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_WhatWasThereBefore_ReachesNoResult(ScalarType dtype)
    {
        // Memory that was never written is not a number on the shim: one that got into a result would show.
        SkipWithoutShim();
        using var device = new HostDevice();
        using CudaModelRunner runner = Load(device, Path.Combine(GoldenSet.Bundled, "models", "sharded-65"), dtype, 2);
        SequenceChunk asked = Chunk(1, 0, Tokens(1, 3, 65));
        Assert.All(runner.Run(asked with { LogitRows = 2 })[0].Logits.ToArray(), logit => Assert.True(float.IsFinite(logit)));
        ChunkOutput output = runner.Run(asked.Scoring(new[] { 1, 2, 3 }) with { PooledLayers = [0, 5] })[0];
        Assert.All(output.LogProbabilities.ToArray(), one => Assert.True(float.IsFinite(one)));
        Assert.All(output.PooledSums.ToArray(), sum => Assert.True(double.IsFinite(sum)));
    }

    static void SkipWithoutShim() => Assert.SkipWhen(HostDevice.WhyNot.Length > 0, HostDevice.WhyNot);

    static uint[] Bits(ChunkOutput output) => [.. output.Logits.ToArray().Select(BitConverter.SingleToUInt32Bits)];

    static CudaModelRunner Load(HostDevice device, string folder, ScalarType dtype, int slots)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return new CudaModelRunner(device, new CudaNetwork(device, checkpoint.Config, checkpoint.Architecture, dtype, checkpoint), slots);
    }
}
