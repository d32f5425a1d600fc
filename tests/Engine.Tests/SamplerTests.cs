using System.Runtime.Intrinsics;
using System.Text.Json;
using IgptCluster.Engine.Sampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

public sealed class SamplerTests
{
    [Fact]
    public void Probabilities_GoldenCases_EqualHuggingFace()
    {
        using JsonDocument sampling = GoldenSet.Json("sampling", "sampling.json");
        GoldenTensors tensors = GoldenSet.Tensors("sampling", "sampling.safetensors");
        var rows = sampling.RootElement.GetProperty("rows").EnumerateArray().ToDictionary(row => row.GetProperty("row").GetInt32(), row => row.GetProperty("logits").GetString()!);
        double greatest = 0;
        int compared = 0;
        foreach (JsonElement given in sampling.RootElement.GetProperty("cases").EnumerateArray().Where(given => !given.GetProperty("ambiguous").GetBoolean()))
        {
            float[] logits = tensors.Floats(rows[given.GetProperty("row").GetInt32()]);
            float[] expected = tensors.Floats(given.GetProperty("probs").GetString()!);
            var parameters = new SamplingParameters
            {
                Temperature = given.GetProperty("temperature").GetDouble(),
                TopK = given.GetProperty("top_k").GetInt32(),
                TopP = given.GetProperty("top_p").GetDouble(),
            };
            ReadOnlySpan<double> actual = new Sampler(logits.Length).Probabilities(logits, parameters);
            int kept = 0;
            for (int i = 0; i < expected.Length; i++)
            {
                greatest = Math.Max(greatest, Math.Abs(actual[i] - expected[i]));
                kept += actual[i] > 0 ? 1 : 0;
            }

            Assert.True(greatest <= 1e-5, $"{given}: differs by {greatest:E2}");
            // Never more survivors, and none is missing whose chance the 53 bits of a draw can tell from none.
            Assert.InRange(kept, expected.Count(probability => probability > 1e-15), given.GetProperty("kept").GetInt32());
            compared++;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{compared} cases, maximum difference {greatest:E2}");
        Assert.True(compared > 0, "the golden set has no sampling case");
    }

    [Fact]
    public void TrySample_TemperatureZero_TakesTheLowestOfEqualGreatest()
    {
        float[] logits = [1, 7, 3, 7, 7];
        Assert.True(new Sampler(5).TrySample(logits, new SamplingParameters { Temperature = 0 }, position: 0, out int token));
        Assert.Equal(1, token);
    }

    [Fact]
    public void TrySample_LogitsBehindTheColours_AreNeverDrawn()
    {
        float[] logits = [0, 1, 100];
        for (int position = 0; position < 100; position++)
        {
            Assert.True(new Sampler(2).TrySample(logits, new SamplingParameters { Seed = 5 }, position, out int token));
            Assert.InRange(token, 0, 1);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void TrySample_LogitThatIsNotFinite_IsRefused(float broken)
    {
        float[] logits = [0, broken, 1];
        Assert.False(new Sampler(3).TrySample(logits, new SamplingParameters(), position: 0, out _));
    }

    [Fact]
    public void TrySample_NoFiniteLogit_IsRefused()
    {
        float[] logits = [float.NegativeInfinity, float.NegativeInfinity];
        Assert.False(new Sampler(2).TrySample(logits, new SamplingParameters(), position: 0, out _));
    }

    [Fact]
    public void TrySample_TinyTemperature_IsGreedy()
    {
        float[] logits = [-3, 2.5f, 2.4f];
        Assert.True(new Sampler(3).TrySample(logits, new SamplingParameters { Temperature = 1e-300 }, position: 9, out int token));
        Assert.Equal(1, token);
    }

    [Fact]
    public void TrySample_ManyPositions_DrawsEachColourByItsProbability()
    {
        float[] logits = [MathF.Log(0.5f), MathF.Log(0.3f), MathF.Log(0.2f)];
        int[] counts = new int[3];
        var sampler = new Sampler(3);
        for (int position = 0; position < 10_000; position++)
        {
            Assert.True(sampler.TrySample(logits, new SamplingParameters { Seed = 7, Sample = 2 }, position, out int token));
            counts[token]++;
        }

        Assert.InRange(counts[0], 4800, 5200);
        Assert.InRange(counts[1], 2800, 3200);
        Assert.InRange(counts[2], 1800, 2200);
    }

    [Fact]
    public void TrySample_SameArguments_GivesTheSameColourWhateverCameBefore()
    {
        float[] logits = [.. Enumerable.Range(0, 64).Select(i => MathF.Sin(i))];
        var used = new Sampler(64);
        var sampling = new SamplingParameters { Seed = ulong.MaxValue, Sample = 1, TopK = 20, TopP = 0.9, Temperature = 0.8 };
        int[] forward = [.. Enumerable.Range(0, 50).Select(position => Draw(used, position))];
        int[] backward = [.. Enumerable.Range(0, 50).Reverse().Select(position => Draw(new Sampler(64), position)).Reverse()];
        Assert.Equal(forward, backward);
        Assert.True(forward.Distinct().Count() > 5);

        int Draw(Sampler sampler, int position)
        {
            Assert.True(sampler.TrySample(logits, sampling, position, out int token));
            return token;
        }
    }

    [Fact]
    public void ColourWeight_AnyDepth_IsTheExponentialToTheLastUnit()
    {
        for (int i = 0; i <= 400_000; i++)
        {
            double x = i * -1e-4;
            ulong weight = ColourWeight.Of(Vector256.Create(x))[i % 4];
            Assert.True(Math.Abs(weight - (Math.Exp(x) * ColourWeight.One)) <= 1, $"e^{x} is {weight}");
        }

        Assert.Equal(ColourWeight.One, ColourWeight.Of(Vector256<double>.Zero)[0]);
        Assert.Equal(0UL, ColourWeight.Of(Vector256.Create(double.NegativeInfinity))[0]);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(64)]
    [InlineData(13)]
    public void Probabilities_AnyLogitsAndFilters_AreThePlainDefinitionsBitForBit(int colours)
    {
        var random = new Random(colours);
        var sampler = new Sampler(colours);
        for (int row = 0; row < 400; row++)
        {
            // Coarse ones have ties, some of zeros of both signs.
            float scale = row % 2 == 0 ? 8f : 0.5f;
            float[] logits = [.. Enumerable.Range(0, colours).Select(_ => row % 4 == 3 ? MathF.Round(random.Next(-4, 4)) * scale : (random.NextSingle() - 0.5f) * scale * 4)];
            logits[random.Next(colours)] = float.NegativeInfinity;
            logits[random.Next(colours)] = -0f;
            var sampling = new SamplingParameters
            {
                Temperature = (row % 5) switch { 0 => 0.7, 1 => 1.3, 2 => 1e-39, _ => 1 },
                TopK = row % 3 == 0 ? 0 : random.Next(1, colours + 2),
                TopP = row % 7 < 3 ? 1 : 1 - (0.99 * random.NextDouble()),
            };
            Assert.Equal(PlainSampler.Probabilities(logits, sampling), sampler.Probabilities(logits, sampling).ToArray());
        }
    }
}
