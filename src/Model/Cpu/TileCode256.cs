using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Machine code of <see cref="TileKernel"/> for vectors of 256 bits. A panel's bfloat16 numbers and bytes are widened where they meet rows of float32 and of 16 bits, the even ones of a
/// vector and then the odd ones. One or two rows take all 32 columns at once; more take 16 and then the others: up to 12 sums, 2 vectors of the panel, a row and
/// one to work with fill the 16 registers.
/// </summary>
internal static class TileCode256
{
    internal const int MaxRows = 6;

    const int Bytes = 32; // of a vector
    const int VectorsOfLane = TileKernel.Columns * sizeof(float) / Bytes;
    const int RowsOfWhole = 2;
    const int Line = 64;
    const int StackOfCaller = 8; // bytes: the return address lies before what is passed on the stack

    // What is computed with, above the sums and the panel's vectors.
    static readonly AssemblerRegisterYMM Row = ymm14;
    static readonly AssemblerRegisterYMM Work = ymm15;

    /// <summary>Bytes that one tile of more than two rows brings.</summary>
    internal static nint BytesOf(TileFetch fetch, int lanes) => (nint)lanes / TileKernel.LaneStep * LinesOf(fetch) * 2 * Line;

    // By the System V calling convention a, its stride, panel, lanes, c and its stride come in rdi, rsi, rdx, rcx, r8 and r9, and what to bring on the stack.
    internal static void Generate(Assembler code, TileType type, int rows, TileFetch fetch)
    {
        if (LinesOf(fetch) > 0)
            code.mov(r11, __[rsp + StackOfCaller]);
        int vectors = rows <= RowsOfWhole ? VectorsOfLane : VectorsOfLane / 2;
        TileRowAddresses.Prepare(code, rows);
        code.mov(rax, rcx);
        for (int first = 0; first < VectorsOfLane; first += vectors)
        {
            var tile = new Tile(type, rows, first, vectors);
            if (first > 0)
                Rewind(code, tile);
            Multiply(code, tile, LinesOf(fetch));
            code.mov(rcx, r8);
            for (int row = 0; row < rows; row++)
            {
                for (int vector = 0; vector < vectors; vector++)
                    code.vmovups(__[rcx + ((first + vector) * Bytes)], tile.Sum(row, vector));
                code.add(rcx, r9);
            }
        }
    }

    // Back to the first lane.
    static void Rewind(Assembler code, Tile tile)
    {
        code.imul(rcx, rax, tile.LaneBytes);
        TileRowAddresses.Subtract(code, tile.Rows, rcx);
        code.imul(rcx, rax, TileKernel.Columns * sizeof(float));
        code.sub(rdx, rcx);
        code.mov(rcx, rax);
    }

    static void Multiply(Assembler code, Tile tile, int lines)
    {
        for (int row = 0; row < tile.Rows; row++)
        {
            for (int vector = 0; vector < tile.Vectors; vector++)
                code.vpxor(tile.Sum(row, vector), tile.Sum(row, vector), tile.Sum(row, vector));
        }

        if (tile.Type == TileType.BFloat16)
        {
            code.vpcmpeqd(Work, Work, Work);
            code.vpslld(Work, Work, 16); // a lane's odd number
        }

        Label next = code.CreateLabel();
        code.Label(ref next);
        for (int lane = 0; lane < TileKernel.LaneStep; lane++)
        {
            switch (tile.Type)
            {
                case TileType.BFloat16: MultiplyBrains(code, tile, lane); break;
                case TileType.Int8: MultiplyBytes(code, tile, lane); break;
                default: MultiplyFloats(code, tile, lane); break;
            }

            if (lane < lines)
                code.prefetcht1(__[r11 + (lane * Line)]);
        }

        if (lines > 0)
            code.add(r11, lines * Line);
        TileRowAddresses.Add(code, tile.Rows, TileKernel.LaneStep * tile.LaneBytes);
        code.add(rdx, TileKernel.LaneStep * TileKernel.Columns * sizeof(float));
        code.sub(rcx, TileKernel.LaneStep);
        code.jnz(next);
    }

    static int LinesOf(TileFetch fetch) => fetch switch { TileFetch.FourLines => 4, TileFetch.TwoLines => 2, TileFetch.OneLine => 1, _ => 0 };

    static void MultiplyFloats(Assembler code, Tile tile, int lane)
    {
        for (int vector = 0; vector < tile.Vectors; vector++)
            code.vmovups(tile.Panel(vector), tile.InPanel(lane, vector));
        for (int row = 0; row < tile.Rows; row++)
        {
            code.vbroadcastss(Row, TileRowAddresses.Of(row, lane * tile.LaneBytes));
            for (int vector = 0; vector < tile.Vectors; vector++)
                code.vfmadd231ps(tile.Sum(row, vector), tile.Panel(vector), Row);
        }
    }

    static void MultiplyBrains(Assembler code, Tile tile, int lane)
    {
        for (int odd = 0; odd < 2; odd++)
        {
            for (int vector = 0; vector < tile.Vectors; vector++)
            {
                if (odd == 0)
                {
                    code.vmovups(tile.Panel(vector), tile.InPanel(lane, vector));
                    code.vpslld(tile.Panel(vector), tile.Panel(vector), 16);
                }
                else
                {
                    code.vpand(tile.Panel(vector), Work, tile.InPanel(lane, vector));
                }
            }

            for (int row = 0; row < tile.Rows; row++)
            {
                code.vbroadcastss(Row, TileRowAddresses.Of(row, (lane * tile.LaneBytes) + (odd * sizeof(float))));
                for (int vector = 0; vector < tile.Vectors; vector++)
                    code.vfmadd231ps(tile.Sum(row, vector), tile.Panel(vector), Row);
            }
        }
    }

    static void MultiplyBytes(Assembler code, Tile tile, int lane)
    {
        for (int odd = 0; odd < 2; odd++)
        {
            for (int vector = 0; vector < tile.Vectors; vector++)
            {
                code.vmovups(tile.Panel(vector), tile.InPanel(lane, vector));
                if (odd == 0)
                    code.vpsllw(tile.Panel(vector), tile.Panel(vector), 8);
                code.vpsraw(tile.Panel(vector), tile.Panel(vector), 8);
            }

            for (int row = 0; row < tile.Rows; row++)
            {
                code.vbroadcastss(Row, TileRowAddresses.Of(row, (lane * tile.LaneBytes) + (odd * sizeof(int))));
                for (int vector = 0; vector < tile.Vectors; vector++)
                {
                    code.vpmaddwd(Work, tile.Panel(vector), Row);
                    code.vpaddd(tile.Sum(row, vector), tile.Sum(row, vector), Work);
                }
            }
        }
    }

    // One pass: some vectors of every lane.
    readonly record struct Tile(TileType Type, int Rows, int First, int Vectors)
    {
        internal AssemblerRegisterYMM Sum(int row, int vector) => Register((row * Vectors) + vector);

        internal AssemblerRegisterYMM Panel(int vector) => Register((Rows * Vectors) + vector);

        internal AssemblerMemoryOperand InPanel(int lane, int vector) => __[rdx + ((((lane * VectorsOfLane) + First + vector)) * Bytes)];

        // Bytes of a lane in a row.
        internal int LaneBytes => sizeof(float) * TileKernel.PerLane(Type) / TileKernel.PerLane(TileKernel.RowType(Type));

        static AssemblerRegisterYMM Register(int number) => new(Iced.Intel.Register.YMM0 + number);
    }
}
