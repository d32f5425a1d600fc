using System.Runtime.Intrinsics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Machine code of <see cref="TileKernel"/> for vectors of 512 bits, with products of bfloat16 and of bytes: vdpbf16ps, vpdpbusd. Rows · 2 sums stay in registers:
/// 24 of 12 rows, 2 vectors of the panel and 6 of rows fill the 32.
/// </summary>
internal static class TileCode512
{
    internal const int MaxRows = 12;

    const int LinesOfLane = TileKernel.Columns * sizeof(float) / 64;
    const int Ahead = 8192; // bytes

    // By the System V calling convention a, its stride, panel, lanes, c and its stride come in rdi, rsi, rdx, rcx, r8 and r9.
    internal static void Generate(Assembler code, TileType type, int rows, bool fetches)
    {
        TileRowAddresses.Prepare(code, rows);
        for (int sum = 0; sum < rows * 2; sum++)
            code.vpxord(Register(sum), Register(sum), Register(sum));
        Label next = code.CreateLabel();
        code.Label(ref next);
        for (int lane = 0; lane < TileKernel.LaneStep; lane++)
        {
            MultiplyLane(code, type, rows, lane);
            for (int line = 0; line < LinesOfLane && fetches; line++)
                code.prefetcht1(__[rdx + (Ahead + (((lane * LinesOfLane) + line) * Vector512<byte>.Count))]);
        }

        TileRowAddresses.Add(code, rows, TileKernel.LaneStep * sizeof(float));
        code.add(rdx, TileKernel.LaneStep * TileKernel.Columns * sizeof(float));
        code.sub(rcx, TileKernel.LaneStep);
        code.jnz(next);
        for (int row = 0; row < rows; row++)
        {
            code.vmovups(__[r8], Register(row * 2));
            code.vmovups(__[r8 + Vector512<byte>.Count], Register((row * 2) + 1));
            code.add(r8, r9);
        }
    }

    // Adds the products of one lane of every row to its sums.
    static void MultiplyLane(Assembler code, TileType type, int rows, int lane)
    {
        AssemblerRegisterZMM[] panel = [zmm24, zmm25];
        for (int half = 0; half < panel.Length; half++)
            code.vmovups(panel[half], __[rdx + (((lane * 2) + half) * Vector512<byte>.Count)]);
        AssemblerRegisterZMM[] spare = [zmm26, zmm27, zmm28, zmm29, zmm30, zmm31];
        for (int row = 0; row < rows; row++)
        {
            AssemblerRegisterZMM number = spare[row % spare.Length];
            code.vbroadcastss(number, TileRowAddresses.Of(row, lane * sizeof(float)));
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
