using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace IgptCluster.Model.Cpu;

/// <summary>How a tile's machine code reaches the numbers of its rows: a register holds the place of every third row, and two more are reached from it by the stride in rsi.</summary>
internal static class TileRowAddresses
{
    const int RowsOfRegister = 3;

    static readonly AssemblerRegister64[] Registers = [rdi, r10, r11, rax];

    /// <summary>Fills the registers from rdi, the first row's place.</summary>
    internal static void Prepare(Assembler code, int rows)
    {
        for (int at = 1; at * RowsOfRegister < rows; at++)
        {
            code.lea(Registers[at], Registers[at - 1] + (rsi * 2));
            code.add(Registers[at], rsi);
        }
    }

    /// <summary>Moves all of them on.</summary>
    internal static void Add(Assembler code, int rows, int bytes)
    {
        for (int at = 0; at * RowsOfRegister < rows; at++)
            code.add(Registers[at], bytes);
    }

    /// <summary>Moves all of them back.</summary>
    internal static void Subtract(Assembler code, int rows, AssemblerRegister64 bytes)
    {
        for (int at = 0; at * RowsOfRegister < rows; at++)
            code.sub(Registers[at], bytes);
    }

    /// <summary>Memory so many bytes behind the place of a row.</summary>
    internal static AssemblerMemoryOperand Of(int row, int offset)
    {
        AssemblerRegister64 register = Registers[row / RowsOfRegister];
        return (row % RowsOfRegister) switch { 0 => __[register + offset], 1 => __[register + rsi + offset], _ => __[register + (rsi * 2) + offset] };
    }
}
