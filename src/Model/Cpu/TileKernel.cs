using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace IgptCluster.Model;

/// <summary>
/// The one product everything is made of: some rows by one panel of 32 columns, c = a · b. Weights, keys and values all lie in panels. Each number of c is
/// summed along the inner dimension in its order, whatever other rows there are, so results do not depend on batch or chunk.
/// </summary>
/// <remarks>
/// Machine code, since .NET 10 has no vectors of bfloat16 and of bytes at 512 bits (vdpbf16ps, vpdpbusd). Rows · 2 sums stay in registers. Code is made
/// once for each type and number of rows and lives as long as the process.
/// </remarks>
internal static unsafe class TileKernel
{
    /// <summary>Most rows of a tile: 24 sums, 2 vectors of the panel and 6 of rows fill the 32 registers.</summary>
    internal const int MaxRows = 12;

    /// <summary>Columns of a panel.</summary>
    internal const int Columns = 32;

    /// <summary>The inner dimension is padded with zeros to so many lanes.</summary>
    internal const int LaneStep = 4;

    const int RowsOfBase = 3;
    const int LinesOfLane = Columns * sizeof(float) / 64;
    const int Ahead = 8192; // bytes

    static readonly Lazy<ExecutableCode>[] Codes =
        [.. Enum.GetValues<TileType>().SelectMany(type => new[] { false, true }.SelectMany(fetches => Enumerable.Range(0, MaxRows + 1)
            .Select(rows => new Lazy<ExecutableCode>(() => new ExecutableCode(Generate(type, rows, fetches))))))];

    /// <summary>Whether this machine can.</summary>
    internal static bool IsSupported(TileType type) => OperatingSystem.IsLinux() && Avx512BW.IsSupported && Vector512.IsHardwareAccelerated && type switch
    {
        TileType.BFloat16 => (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0,
        TileType.Int8 => (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0,
        _ => true,
    };

    /// <summary>Numbers along the inner dimension that share a lane.</summary>
    internal static int PerLane(TileType type) => type switch { TileType.BFloat16 => 2, TileType.Int8 => 4, _ => 1 };

    /// <summary>Lanes that so many numbers take, padded.</summary>
    internal static int Lanes(TileType type, int inner)
    {
        int perLane = PerLane(type);
        return (((inner + perLane - 1) / perLane) + LaneStep - 1) / LaneStep * LaneStep;
    }

    /// <summary>Code for a number of rows.</summary>
    /// <param name="type">The numbers.</param>
    /// <param name="rows">1 … <see cref="MaxRows"/>.</param>
    /// <param name="fetches">Whether it brings what lies 8 KB on into the second cache: for panels that follow each other, as weights do.</param>
    /// <returns>
    /// (a, bytes between rows of a, panel, lanes along the inner dimension, c, bytes between rows of c): a [rows, lanes] of 4 bytes, panel [lanes, 32], c
    /// float32 [rows, 32], or int32 with <see cref="TileType.Int8"/>.
    /// </returns>
    internal static delegate* unmanaged[SuppressGCTransition]<void*, nint, void*, nint, float*, nint, void> For(TileType type, int rows, bool fetches = false) =>
        (delegate* unmanaged[SuppressGCTransition]<void*, nint, void*, nint, float*, nint, void>)Codes[((((int)type * 2) + (fetches ? 1 : 0)) * (MaxRows + 1)) + rows].Value.Start;

    // By the System V calling convention a, its stride, panel, lanes, c and its stride come in rdi, rsi, rdx, rcx, r8 and r9.
    static byte[] Generate(TileType type, int rows, bool fetches)
    {
        var code = new Assembler(64);
        AssemblerRegister64[] bases = [rdi, r10, r11, rax];
        for (int at = 1; at * RowsOfBase < rows; at++)
        {
            code.lea(bases[at], bases[at - 1] + (rsi * 2));
            code.add(bases[at], rsi);
        }

        for (int sum = 0; sum < rows * 2; sum++)
            code.vpxord(Register(sum), Register(sum), Register(sum));
        Label next = code.CreateLabel();
        code.Label(ref next);
        for (int lane = 0; lane < LaneStep; lane++)
        {
            MultiplyLane(code, type, rows, lane, bases);
            for (int line = 0; line < LinesOfLane && fetches; line++)
                code.prefetcht1(__[rdx + (Ahead + (((lane * LinesOfLane) + line) * Vector512<byte>.Count))]);
        }

        for (int at = 0; at * RowsOfBase < rows; at++)
            code.add(bases[at], LaneStep * sizeof(float));
        code.add(rdx, LaneStep * Columns * sizeof(float));
        code.sub(rcx, LaneStep);
        code.jnz(next);
        for (int row = 0; row < rows; row++)
        {
            code.vmovups(__[r8], Register(row * 2));
            code.vmovups(__[r8 + Vector512<byte>.Count], Register((row * 2) + 1));
            code.add(r8, r9);
        }

        code.vzeroupper();
        code.ret();
        using var stream = new MemoryStream();
        code.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    // Adds the products of one lane of every row to its sums.
    static void MultiplyLane(Assembler code, TileType type, int rows, int lane, AssemblerRegister64[] bases)
    {
        AssemblerRegisterZMM[] panel = [zmm24, zmm25];
        for (int half = 0; half < panel.Length; half++)
            code.vmovups(panel[half], __[rdx + (((lane * 2) + half) * Vector512<byte>.Count)]);
        AssemblerRegisterZMM[] spare = [zmm26, zmm27, zmm28, zmm29, zmm30, zmm31];
        for (int row = 0; row < rows; row++)
        {
            AssemblerRegisterZMM number = spare[row % spare.Length];
            AssemblerRegister64 first = bases[row / RowsOfBase];
            int offset = lane * sizeof(float);
            code.vbroadcastss(number, (row % RowsOfBase) switch { 0 => __[first + offset], 1 => __[first + rsi + offset], _ => __[first + (rsi * 2) + offset] });
            for (int half = 0; half < panel.Length; half++)
            {
                AssemblerRegisterZMM sum = Register((row * 2) + half);
                switch (type)
                {
                    case TileType.BFloat16: code.vdpbf16ps(sum, panel[half], number); break;
                    case TileType.Int8: code.vpdpbusd(sum, panel[half], number); break;
                    default: code.vfmadd231ps(sum, panel[half], number); break;
                }
            }
        }
    }

    static AssemblerRegisterZMM Register(int number) => new(Iced.Intel.Register.ZMM0 + number);
}
