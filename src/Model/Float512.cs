using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace IgptCluster.Model;

/// <summary>What Vector512 lacks or does slowly in .NET 10: the larger of two without rules for NaN, and powers of 2 without float64. On any processor; any thread.</summary>
internal static class Float512
{
    const float ToWhole = 1.5f * (1 << 23); // a number plus this has no digits left behind the point, and its whole part in its lowest bits

    // left > right ? left : right, so right where one is not a number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Larger(Vector512<float> left, Vector512<float> right) =>
        Avx512F.IsSupported ? Avx512F.Max(left, right) : Vector512.ConditionalSelect(Vector512.GreaterThan(left, right), left, right);

    // Of all lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Largest(Vector512<float> x)
    {
        Vector256<float> half = Vector256.Max(x.GetLower(), x.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return Math.Max(Math.Max(quarter[0], quarter[1]), Math.Max(quarter[2], quarter[3]));
    }

    // Whole numbers within a byte, to bytes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<sbyte> ToBytes(Vector512<int> x) =>
        Avx512F.IsSupported
            ? Avx512F.ConvertToVector128SByte(x)
            : Vector128.Narrow(Vector128.Narrow(x.GetLower().GetLower(), x.GetLower().GetUpper()), Vector128.Narrow(x.GetUpper().GetLower(), x.GetUpper().GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<uint> FromBytes(Vector128<byte> x)
    {
        if (Avx512F.IsSupported)
            return Avx512F.ConvertToVector512UInt32(x);
        (Vector128<ushort> lower, Vector128<ushort> upper) = Vector128.Widen(x);
        return Vector512.Create(Vector256.Create(Vector128.WidenLower(lower), Vector128.WidenUpper(lower)), Vector256.Create(Vector128.WidenLower(upper), Vector128.WidenUpper(upper)));
    }

    // Whole numbers within 16 bits, to a row of TileType.Int16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<short> ToPairs(Vector512<int> x)
    {
        Vector256<short> numbers = Vector256.Create(Vector128.Narrow(x.GetLower().GetLower(), x.GetLower().GetUpper()), Vector128.Narrow(x.GetUpper().GetLower(), x.GetUpper().GetUpper()));
        return Vector256.Shuffle(numbers, Vector256.Create((short)0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
    }

    // σ(x)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Sigmoid(Vector512<float> x)
    {
        Vector512<float> power = x * Vector512.Create(-MathF.Log2(MathF.E));
        power = Vector512.ConditionalSelect(Vector512.LessThan(Vector512.Create(126f), power), Vector512.Create(126f), power); // what is not a number stays so
        return Vector512<float>.One / (Vector512<float>.One + Exp2(power));
    }

    // 2^x to 3e-7, for x up to 126; below the least, which is −126 or more, 2^least; what is not a number stays so. 2^round(x) by the exponent's bits, times a Taylor polynomial of the rest, at most 1/2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Exp2(Vector512<float> x, float least = -126)
    {
        x = Larger(Vector512.Create(least), x);
        Vector512<float> whole = x + Vector512.Create(ToWhole);
        Vector512<float> rest = x - (whole - Vector512.Create(ToWhole));
        Vector512<float> power = Vector512.Create(1.5403530e-4f);
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(1.3333558e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(9.6181291e-3f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(5.5504109e-2f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(2.4022651e-1f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512.Create(6.9314718e-1f));
        power = Vector512.FusedMultiplyAdd(power, rest, Vector512<float>.One);
        return (power.AsInt32() + (whole.AsInt32() << 23)).AsSingle();
    }
}
