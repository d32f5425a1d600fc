using System.Numerics;
using System.Runtime.InteropServices;

namespace IgptCluster.Engine;

/// <summary>
/// Ranks of logits: the k greatest, and all in ascending order, lower colours first among equal ones. Both without a comparison that a processor would
/// have to guess: that is most of what sorting costs. One engine's thread only: it keeps its buffers.
/// </summary>
/// <param name="colours">Most values given.</param>
sealed class ColourOrder(int colours)
{
    const int DigitBits = 8;
    const int Digits = 1 << DigitBits;
    const int Passes = 32 / DigitBits;
    const int FewValues = 64; // that the library sorts faster

    readonly int[] _keys = new int[colours];
    readonly int[] _counts = new int[Passes * Digits];
    ulong[] _ranked = new ulong[colours];
    ulong[] _other = new ulong[colours];

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

    /// <summary>Indices of values in ascending order of the values, then of the indices; valid until the next call.</summary>
    /// <param name="values">No value that is not a number.</param>
    internal ReadOnlySpan<ulong> Ascending(ReadOnlySpan<float> values)
    {
        Span<int> keys = _keys.AsSpan(0, values.Length);
        WriteKeys(values, keys);
        for (int index = 0; index < keys.Length; index++)
        {
            _ranked[index] = ((ulong)(uint)(keys[index] ^ int.MinValue) << 32) | (uint)index;
        }

        if (keys.Length <= FewValues)
        {
            _ranked.AsSpan(0, keys.Length).Sort();
        }
        else
        {
            Count(_ranked.AsSpan(0, keys.Length));
            for (int pass = 0; pass < Passes; pass++)
            {
                Distribute(keys.Length, pass);
            }
        }

        return _ranked.AsSpan(0, keys.Length);
    }

    /// <summary>The index in one entry of <see cref="Ascending"/>.</summary>
    internal static int Index(ulong ranked) => (int)(uint)ranked;

    /// <summary>How often each digit has each value.</summary>
    void Count(ReadOnlySpan<ulong> values)
    {
        Array.Clear(_counts);
        foreach (ulong value in values)
        {
            for (int pass = 0; pass < Passes; pass++)
            {
                _counts[(pass * Digits) + Digit(value, pass)]++;
            }
        }
    }

    /// <summary>Puts them in the order of one digit, the least significant first; equal ones stay as they are.</summary>
    void Distribute(int count, int pass)
    {
        Span<int> places = _counts.AsSpan(pass * Digits, Digits);
        ReadOnlySpan<ulong> from = _ranked.AsSpan(0, count);
        if (places[Digit(from[0], pass)] == count)
        {
            return;
        }

        int start = 0;
        foreach (ref int place in places)
        {
            (place, start) = (start, start + place);
        }

        Span<ulong> to = _other;
        foreach (ulong value in from)
        {
            to[places[Digit(value, pass)]++] = value;
        }

        (_ranked, _other) = (_other, _ranked);
    }

    static byte Digit(ulong ranked, int pass) => (byte)(ranked >> (32 + (pass * DigitBits)));

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
