using System.Runtime.Intrinsics;

namespace IgptCluster.Engine.Sampling;

/// <summary>
/// e^x of x up to 0 as a whole number of 2⁻⁵⁰: sums of such weights are exact, so that filters and draws give the same colour in whatever order they are
/// taken, by whatever vectors, on processors and on devices (<c>sampling.cu</c> has the same operations in the same order).
/// </summary>
static class ColourWeight
{
    /// <summary>The weight of 0, the greatest logit's.</summary>
    internal const ulong One = 1UL << Bits;

    const int Bits = 50;

    /// <summary>What lies so far below the greatest logit has no weight.</summary>
    internal const double Least = -40;

    // 1.5 · 2⁵²: what is added to it is rounded to a whole number, ties to even, which its lower bits then hold.
    const double Whole = 6755399441055744;
    const double Mantissa = 4503599627370496; // 2⁵²
    const double Log2E = 1.4426950408889634;
    const double Ln2Upper = 0.693147180369123816490;
    const double Ln2Lower = 1.90821492927058770002e-10;

    /// <summary>Weights of four numbers.</summary>
    /// <param name="x">0 or less; no number that is not one.</param>
    internal static Vector256<ulong> Of(Vector256<double> x)
    {
        x = Vector256.Max(x, Vector256.Create(Least));
        Vector256<double> shifted = Vector256.FusedMultiplyAdd(x, Vector256.Create(Log2E), Vector256.Create(Whole));
        Vector256<double> whole = shifted - Vector256.Create(Whole);
        Vector256<double> rest = Vector256.FusedMultiplyAdd(whole, Vector256.Create(-Ln2Lower), Vector256.FusedMultiplyAdd(whole, Vector256.Create(-Ln2Upper), x));

        // 1 / n!: within 2⁻⁵⁷ up to ln 2 / 2.
        Vector256<double> sum = Vector256.Create(1.0 / 6227020800);
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 479001600));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 39916800));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 3628800));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 362880));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 40320));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 5040));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 720));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 120));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 24));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 6));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.0 / 2));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256<double>.One);
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256<double>.One);

        // Times 2 to the whole number and 50 more, by the exponent's bits.
        Vector256<long> exponent = Vector256.ShiftLeft(shifted.AsInt64(), 52) + Vector256.Create((1023L + Bits) << 52);
        return ((sum * exponent.AsDouble()) + Vector256.Create(Mantissa)).AsUInt64() & Vector256.Create((1UL << 52) - 1);
    }
}
