using IgptCluster.Engine.Runner;

namespace IgptCluster.Model.Tests.Network;

/// <summary>Short ways to make and run step plans.</summary>
static class RunnerFeeding
{
    public static SequenceChunk Chunk(int slot, int start, params int[] tokens) => new() { Slot = slot, Start = start, Tokens = tokens, LogitRows = 1 };

    /// <summary>The same chunk, whose last tokens are scored instead.</summary>
    public static SequenceChunk Scoring(this SequenceChunk chunk, ReadOnlyMemory<int> targets) => chunk with { LogitRows = targets.Length, Targets = targets };

    /// <summary>Runs one step without copies.</summary>
    public static IReadOnlyList<ChunkOutput> Run(this IModelRunner runner, params SequenceChunk[] chunks) => runner.Execute(new StepPlan([], chunks));

    public static int Greedy(this ChunkOutput output)
    {
        ReadOnlySpan<float> logits = output.Logits.Span;
        int best = 0;
        for (int id = 1; id < logits.Length; id++)
        {
            best = logits[id] > logits[best] ? id : best;
        }

        return best;
    }

    /// <summary>Deterministic tokens below a vocabulary size, the start token first.</summary>
    public static int[] Tokens(int seed, int count, int vocabulary)
    {
        var random = new Random(seed);
        return [vocabulary - 1, .. Enumerable.Range(1, count - 1).Select(_ => random.Next(vocabulary - 1))];
    }

    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<double> actual, string what, float tolerance = 1e-4f) =>
        AssertClose(Array.ConvertAll(expected.ToArray(), value => (float)value), Array.ConvertAll(actual.ToArray(), value => (float)value), what, tolerance);

    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what, float tolerance = 1e-4f)
    {
        Assert.Equal(expected.Length, actual.Length);
        float largest = 0;
        float scale = 0;
        for (int index = 0; index < expected.Length; index++)
        {
            largest = float.IsNaN(actual[index]) ? float.PositiveInfinity : Math.Max(largest, Math.Abs(expected[index] - actual[index]));
            scale = Math.Max(scale, Math.Abs(expected[index]));
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: max difference {largest:g3} of magnitude {scale:g3}");
        Assert.True(largest <= tolerance * scale, $"{what}: {largest:g3} > {tolerance:g3} × {scale:g3}");
    }
}
