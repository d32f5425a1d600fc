using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Tests.Network;
using IgptCluster.Tests.Shared;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Cuda;

/// <summary>Colours drawn by the kernel on a processor: a session that goes on elsewhere must get the colours that it would have got here.</summary>
public sealed class CudaSamplingTests
{
    const int Rows = 500;

    [Theory]
    [InlineData(512, 0)]
    [InlineData(512, 1)]
    [InlineData(512, 2)]
    [InlineData(64, 3)]
    [InlineData(13, 4)]
    public void Draw_AnyLogitsAndParameters_IsTheSamplersColour(int colours, int seed)
    {
        Assert.SkipWhen(HostDevice.WhyNot.Length > 0, HostDevice.WhyNot);
        var random = new Random(seed);
        var sampler = new Sampler(colours);
        using var device = new HostDevice();
        using var drawing = new DrawKernel(device, colours, Rows);
        HashSet<int> seen = [];
        for (int step = 0; step < 40; step++)
        {
            float[][] logits = [.. Enumerable.Range(0, Rows).Select(row => Logits(random, row, colours))];
            SamplingParameters[] sampling = [.. Enumerable.Range(0, Rows).Select(row => Parameters(random, row, colours))];
            int[] drawn = drawing.Draw(logits, sampling, step);
            for (int row = 0; row < Rows; row++)
            {
                int expected = sampler.TrySample(logits[row], sampling[row], step + row, out int token) ? token : ChunkOutput.NotFinite;
                Assert.True(expected == drawn[row], $"{sampling[row]}: row {row} of step {step} draws {drawn[row]}, not {expected}");
                seen.Add(expected);
            }
        }

        Assert.Equal(colours + 1, seen.Count); // all of them, and none
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Execute_ChunksWithSampling_GiveTheColoursThatTheirLogitsGive(ScalarType dtype)
    {
        Assert.SkipWhen(HostDevice.WhyNot.Length > 0, HostDevice.WhyNot);
        using var device = new HostDevice();
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(GoldenSet.Bundled, "models", "sharded-65"));
        using var runner = new CudaModelRunner(device, new CudaNetwork(device, checkpoint.Config, checkpoint.Architecture, dtype, checkpoint), 5);
        var sampler = new Sampler(runner.Shape.ColourCount);
        int[][] prompts = [.. Enumerable.Range(0, 5).Select(row => Tokens(row, 6 + row, 65))];
        var sampling = new SamplingParameters { Temperature = 0.9, TopK = 30, TopP = 0.9, Seed = 11 };

        // Prompts beside one another, scores among them; then a step of single tokens, padded to a graph's rows; every second chunk is drawn.
        Compare([.. prompts.Select((prompt, slot) => Chunk(slot, 0, prompt[..^1]) with { LogitRows = slot, Targets = slot == 2 ? prompt.AsMemory(1, 2) : default })]);
        Compare([.. prompts.Select((prompt, slot) => Chunk(slot, prompt.Length - 1, prompt[^1]))]);

        // Guesses behind the last token: every row is drawn, in a graph's rows too.
        Compare([.. prompts.Select((prompt, slot) => Chunk(slot, prompt.Length - 2, prompt[^2..]) with { LogitRows = 2 })]);

        void Compare(SequenceChunk[] chunks)
        {
            int[][] expected = [.. runner.Run(chunks).Select((output, slot) => Draw(chunks[slot], output.Logits.ToArray()))];
            ChunkOutput[] outputs = [.. runner.Run([.. chunks.Select((chunk, slot) => slot % 2 == 0 ? chunk with { Sampling = sampling } : chunk)])];
            for (int slot = 0; slot < chunks.Length; slot++)
            {
                Assert.Equal(slot % 2 == 0 ? expected[slot] : [], outputs[slot].Drawn.ToArray());
                Assert.Equal(slot % 2 == 0 || !chunks[slot].Targets.IsEmpty ? 0 : 64 * chunks[slot].LogitRows, outputs[slot].Logits.Length);
            }

            Assert.Equal(expected, runner.Run([.. chunks.Select(chunk => chunk with { Sampling = sampling })]).Select(output => output.Drawn.ToArray()));
        }

        int[] Draw(SequenceChunk chunk, float[] logits) => [.. logits.Chunk(64)
            .Select((row, index) => sampler.TrySample(row, sampling, chunk.Start + chunk.Tokens.Length - chunk.LogitRows + index, out int token) ? token : -2)];
    }

    // Smooth ones, coarse ones with ties and zeros of both signs, such as lie far from one another, and broken ones.
    static float[] Logits(Random random, int row, int colours)
    {
        float scale = (row % 3) switch { 0 => 8f, 1 => 0.5f, _ => 60f };
        float[] logits = [.. Enumerable.Range(0, colours).Select(_ => row % 4 == 3 ? MathF.Round(random.Next(-4, 4)) * scale : (random.NextSingle() - 0.5f) * scale * 4)];
        logits[random.Next(colours)] = float.NegativeInfinity;
        logits[random.Next(colours)] = -0f;
        if (row % 50 == 7)
            logits[random.Next(colours)] = (row % 3) switch { 0 => float.NaN, 1 => float.PositiveInfinity, _ => -float.NaN };
        if (row % 250 == 9)
            Array.Fill(logits, float.NegativeInfinity);
        return logits;
    }

    static SamplingParameters Parameters(Random random, int row, int colours) => new()
    {
        Temperature = random.Next(8) switch { 0 => 0, 1 => 0.7, 2 => 1.3, 3 => 1e-39, 4 => 1e-300, 5 => 5, _ => 1 },
        TopK = random.Next(3) == 0 ? random.Next(1, colours + 2) : 0,
        TopP = random.Next(3) switch { 0 => 1, 1 => 1 - (0.99 * random.NextDouble()), _ => Math.Pow(10, -12 * random.NextDouble()) },
        Seed = (ulong)random.NextInt64(),
        Sample = (uint)row,
    };
}
