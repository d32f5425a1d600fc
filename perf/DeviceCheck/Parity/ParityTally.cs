using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Parity;

/// <summary>The worst of all comparisons of one model in one data type.</summary>
/// <param name="dtype">The data type.</param>
internal sealed class ParityTally(ScalarType dtype)
{
    /// <summary>Float32: the golden set's own tolerance. bfloat16: a few roundings of 8 bits, as in the tests of reduced precision.</summary>
    internal double Limit { get; } = dtype == ScalarType.Float32 ? 1e-4 : 0.06;

    internal double Worst { get; private set; }

    internal string WorstOf { get; private set; } = "";

    internal int GreedyTokens { get; private set; }

    internal int GreedyOther { get; private set; }

    /// <summary>Compares one output.</summary>
    /// <param name="what">Case and output.</param>
    /// <param name="expected">The reference, float32 on the CPU.</param>
    /// <param name="actual">What the device gave, of the same number of values.</param>
    /// <param name="valid">Positions that count, bool, broadcast over the rest; null for all.</param>
    internal void Add(string what, Tensor expected, Tensor actual, Tensor? valid = null)
    {
        using var scope = NewDisposeScope();
        Tensor difference = (actual.to_type(ScalarType.Float32).cpu().reshape(expected.shape) - expected).abs();
        Tensor magnitude = expected.abs();
        if (valid is not null)
        {
            difference = difference.where(valid, zeros(1));
            magnitude = magnitude.where(valid, zeros(1));
        }

        double relative = difference.max().item<float>() / magnitude.max().item<float>();
        if (double.IsNaN(relative))
            relative = double.PositiveInfinity;
        if (relative >= Worst)
            (Worst, WorstOf) = (relative, what);
    }

    /// <summary>Compares one greedy choice.</summary>
    /// <param name="expected">The reference's.</param>
    /// <param name="logits">What the device gave.</param>
    /// <param name="margin">How far the reference's two best logits are apart.</param>
    internal void AddGreedy(int expected, ReadOnlySpan<float> logits, double margin)
    {
        int choice = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
        double explained = 2 * Limit * System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(logits);
        GreedyTokens++;
        if (choice != expected && margin > Math.Abs(explained))
            GreedyOther++;
    }
}
