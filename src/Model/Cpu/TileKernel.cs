using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// The one product everything is made of: some rows by one panel of 32 columns, c = a · b. Weights, keys and values all lie in panels. Each number of c is
/// summed along the inner dimension in its order, whatever other rows there are, so results do not depend on batch or chunk.
/// </summary>
/// <remarks>
/// Machine code, since .NET 10 has no vectors of bfloat16 and of bytes at 512 bits: <see cref="TileCode512"/> where the processor has those, else <see cref="TileCode256"/>.
/// Sums stay in registers. Code is made once for each type and number of rows and lives as long as the process.
/// </remarks>
internal static unsafe class TileKernel
{
    /// <summary>Columns of a panel.</summary>
    internal const int Columns = 32;

    /// <summary>The inner dimension is padded with zeros to so many lanes.</summary>
    internal const int LaneStep = 4;

    static readonly bool IsX64Linux = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    // Vectors of 512 bits with products of all three types.
    static readonly bool IsWide = IsX64Linux && Avx512BW.IsSupported && Vector512.IsHardwareAccelerated
        && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0 && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;

    /// <summary>Most rows of a tile.</summary>
    internal static readonly int MaxRows = IsWide ? TileCode512.MaxRows : TileCode256.MaxRows;

    /// <summary>What a panel's bytes are more than the numbers that they stand for: vpdpbusd takes bytes without a sign.</summary>
    internal static readonly int ZeroByte = IsWide ? 128 : 0;

    static readonly int FetchCount = Enum.GetValues<TileFetch>().Length;

    static readonly Lazy<ExecutableCode>[] Codes =
        [.. Enum.GetValues<TileType>().SelectMany(type => Enum.GetValues<TileFetch>().SelectMany(fetch => Enumerable.Range(0, MaxRows + 1)
            .Select(rows => new Lazy<ExecutableCode>(() => new ExecutableCode(Generate(type, rows, fetch))))))];

    /// <summary>Whether this machine can: Linux on x64 with AVX2 and FMA.</summary>
    internal static bool IsSupported => IsX64Linux && Avx2.IsSupported && Fma.IsSupported;

    /// <summary>Numbers along the inner dimension that share a lane.</summary>
    internal static int PerLane(TileType type) => type switch { TileType.BFloat16 or TileType.Int16 => 2, TileType.Int8 => 4, _ => 1 };

    /// <summary>Lanes that so many numbers take, padded.</summary>
    internal static int Lanes(TileType type, int inner)
    {
        int perLane = PerLane(type);
        return (((inner + perLane - 1) / perLane) + LaneStep - 1) / LaneStep * LaneStep;
    }

    /// <summary>The numbers of rows that meet such panels: larger ones where the processor has no products of bfloat16 and of bytes.</summary>
    internal static TileType RowType(TileType type) => IsWide ? type : type switch { TileType.BFloat16 => TileType.Float32, TileType.Int8 => TileType.Int16, _ => type };

    /// <summary>The largest whole number in a row that meets panels of bytes: as large as a sum of so many products allows.</summary>
    internal static int MostOfRow(int inner) => IsWide ? sbyte.MaxValue : Math.Min(short.MaxValue, int.MaxValue / (sbyte.MaxValue * inner));

    /// <summary>Bytes from one row that meets such panels to the next: whole lanes, and room for whole panels to be written.</summary>
    internal static int RowStride(TileType type, int inner)
    {
        int padded = (inner + Columns - 1) / Columns * Columns;
        return Math.Max(Lanes(type, inner) * PerLane(type), padded) / PerLane(RowType(type)) * sizeof(float);
    }

    /// <summary>Code for a number of rows.</summary>
    /// <param name="type">The numbers.</param>
    /// <param name="rows">1 … <see cref="MaxRows"/>.</param>
    /// <param name="fetch">What it brings into the second cache meanwhile: for panels that follow each other, as weights do.</param>
    /// <returns>
    /// (a, bytes between rows of a, panel, lanes along the inner dimension, c, bytes between rows of c, what to bring): a numbers of <see cref="RowType"/> for
    /// all lanes, panel [lanes, 32] of 4 bytes, c float32 [rows, 32], or int32 with <see cref="TileType.Int8"/>.
    /// </returns>
    internal static delegate* unmanaged[SuppressGCTransition]<void*, nint, void*, nint, float*, nint, byte*, void> For(TileType type, int rows, TileFetch fetch = TileFetch.Nothing) =>
        (delegate* unmanaged[SuppressGCTransition]<void*, nint, void*, nint, float*, nint, byte*, void>)Codes[((((int)type * FetchCount) + (int)fetch) * (MaxRows + 1)) + rows].Value.Start;

    /// <summary>How the next panel is brought while some tiles of rows meet this one.</summary>
    /// <param name="tiles">How many tiles.</param>
    internal static TileFetch FetchBeside(int tiles) => IsWide ? TileFetch.Ahead : tiles switch { 1 => TileFetch.FourLines, 2 or 3 => TileFetch.TwoLines, _ => TileFetch.OneLine };

    /// <summary>How much of it one tile brings; 0 where that needs no place.</summary>
    /// <param name="fetch">How.</param>
    /// <param name="lanes">Lanes of a panel.</param>
    internal static nint BytesOf(TileFetch fetch, int lanes) => TileCode256.BytesOf(fetch, lanes);

    static byte[] Generate(TileType type, int rows, TileFetch fetch)
    {
        var code = new Assembler(64);
        if (IsWide)
            TileCode512.Generate(code, type, rows, fetch == TileFetch.Ahead);
        else
            TileCode256.Generate(code, type, rows, fetch);
        code.vzeroupper();
        code.ret();
        using var stream = new MemoryStream();
        code.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }
}
