using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace IgptCluster.Engine.Sampling;

/// <summary>
/// Ranks of logits, without a comparison that a processor would have to guess: that is most of what sorting costs. One engine's thread only: it keeps its buffers.
/// </summary>
/// <param name="colours">Most values given.</param>
sealed class ColourOrder(int colours)
{
    const int Buckets = 256;
    const int MostInserted = 32; // the library's sort of pairs costs more for as few as usually share a bucket

    readonly int[] _keys = new int[colours];
    readonly float[] _depths = new float[colours];
    readonly ulong[] _sums = new ulong[Buckets];
    readonly (float Value, int Index)[] _edge = new (float, int)[colours];

    /// <summary>A bound that the k greatest values reach, and besides only those that are equal to the k-th.</summary>
    /// <param name="values">No value that is not a number.</param>
    /// <param name="rank">k, 1 … number of values.</param>
    internal float Bound(ReadOnlySpan<float> values, int rank)
    {
        Span<int> keys = _keys.AsSpan(0, values.Length);
        WriteKeys(values, keys);

        // The greatest bound that at least k keys reach, bit by bit: the sign first, where a set bit is the smaller one. Once exactly k do, it is found.
        int reached = CountAtLeast(keys, 0);
        int bound = reached >= rank ? 0 : int.MinValue;
        for (int bit = 30; bit >= 0 && reached != rank; bit--)
        {
            int higher = bound | (1 << bit);
            int there = CountAtLeast(keys, higher);
            (bound, reached) = there >= rank ? (higher, there) : (bound, reached);
        }

        return BitConverter.Int32BitsToSingle(Flip(bound));
    }

    /// <summary>
    /// Sets the weights of the least values to zero, lower indices first among equal ones, as long as what they weigh together stays within a bound; the greatest value keeps
    /// its weight. Values are told apart roughly first, by how far below the greatest they lie: only where the bound is crossed are they sorted.
    /// </summary>
    /// <param name="values">Finite or −∞.</param>
    /// <param name="weights">One for each, 0 or more, that grows with the value.</param>
    /// <param name="span">How far below the greatest a value still weighs anything; above 0.</param>
    /// <param name="most">The bound.</param>
    internal void Cut(ReadOnlySpan<float> values, Span<ulong> weights, float span, ulong most)
    {
        Span<int> buckets = _keys.AsSpan(0, values.Length);
        WriteBuckets(values, span, buckets);
        Array.Clear(_sums);
        for (int i = 0; i < buckets.Length; i++)
        {
            _sums[buckets[i]] += weights[i];
        }

        int edge = Buckets - 1;
        ulong below = 0;
        for (; edge > 0 && below + _sums[edge] <= most; edge--)
        {
            below += _sums[edge];
        }

        int count = 0;
        for (int i = 0; i < buckets.Length; i++)
        {
            // Written always, there or not: nothing for the processor to guess.
            _edge[count] = (values[i], i);
            count += buckets[i] == edge ? 1 : 0;
            weights[i] = buckets[i] > edge ? 0 : weights[i];
        }

        Span<(float Value, int Index)> sorted = _edge.AsSpan(0, count);
        Sort(sorted);
        foreach ((_, int index) in edge == 0 ? sorted[..^1] : sorted)
        {
            below += weights[index];
            if (below > most)
            {
                break;
            }

            weights[index] = 0;
        }
    }

    /// <summary>By value; those that are equal stay in their order, that of their indices.</summary>
    static void Sort(Span<(float Value, int Index)> values)
    {
        if (values.Length > MostInserted)
        {
            values.Sort();
            return;
        }

        for (int i = 1; i < values.Length; i++)
        {
            (float Value, int Index) moved = values[i];
            int to = i;
            for (; to > 0 && values[to - 1].Value > moved.Value; to--)
            {
                values[to] = values[to - 1];
            }

            values[to] = moved;
        }
    }

    /// <summary>How far below the greatest each value lies, in equal steps to the least one or to where nothing weighs anything any more; the rest lies in the last.</summary>
    void WriteBuckets(ReadOnlySpan<float> values, float span, Span<int> buckets)
    {
        Span<float> depths = _depths.AsSpan(0, values.Length);
        float greatest = TensorPrimitives.Max(values);
        float step = Math.Min(greatest - TensorPrimitives.Min(values), span) / (Buckets - 1);
        if (step == 0)
        {
            buckets.Clear();
            return;
        }

        TensorPrimitives.Subtract(greatest, values, depths);
        TensorPrimitives.Divide(depths, step, depths);
        TensorPrimitives.Min(depths, Buckets - 1, depths);
        TensorPrimitives.ConvertTruncating<float, int>(depths, buckets);
    }

    /// <summary>Numbers whose order as integers is that of the values.</summary>
    static void WriteKeys(ReadOnlySpan<float> values, Span<int> keys)
    {
        int done = 0;
        for (; done <= values.Length - Vector<float>.Count; done += Vector<float>.Count)
        {
            // Adding zero makes the negative zero the positive one: they are equal.
            Vector<int> bits = Vector.AsVectorInt32(new Vector<float>(values[done..]) + Vector<float>.Zero);
            (bits ^ (Vector.ShiftRightArithmetic(bits, 31) & new Vector<int>(int.MaxValue))).CopyTo(keys[done..]);
        }

        for (; done < values.Length; done++)
        {
            keys[done] = Flip(BitConverter.SingleToInt32Bits(values[done] + 0f));
        }
    }

    static int Flip(int bits) => bits ^ ((bits >> 31) & int.MaxValue);

    static int CountAtLeast(ReadOnlySpan<int> keys, int bound)
    {
        ReadOnlySpan<Vector<int>> vectors = MemoryMarshal.Cast<int, Vector<int>>(keys);
        Vector<int> bounds = new(bound);
        Vector<int> counts = Vector<int>.Zero;
        foreach (Vector<int> vector in vectors)
        {
            counts -= Vector.GreaterThanOrEqual(vector, bounds);
        }

        int count = Vector.Sum(counts);
        foreach (int key in keys[(vectors.Length * Vector<int>.Count)..])
        {
            count += key >= bound ? 1 : 0;
        }

        return count;
    }
}
