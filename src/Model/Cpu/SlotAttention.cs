using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Causal attention of one head over a slot at its exact length, without padding or masks: scores by products with key panels, softmax of whole rows in
/// float32, products with value panels. A query's result depends on its position and what lies before it alone, whether it came one by one or in a chunk.
/// Belongs to one worker.
/// </summary>
internal sealed unsafe class SlotAttention : IDisposable
{
    const int Columns = TileKernel.Columns;
    const int Step = 16; // numbers of a vector
    const float Least = -100; // powers of 2 below this share nothing, and are far from denormal ones

    readonly KvArena _arena;
    readonly TileRows _queries;
    readonly AlignedMemory _scores;
    readonly TileRows _shares;
    readonly AlignedMemory _mixed;
    readonly int _width;

    internal SlotAttention(KvArena arena, int positions)
    {
        _arena = arena;
        _width = (positions + Columns - 1) / Columns * Columns;
        _queries = new TileRows(arena.Layout.Type, arena.Layout.HeadSize);
        _scores = new AlignedMemory((long)TileKernel.MaxRows * _width * sizeof(float));
        _shares = new TileRows(arena.Layout.Type, _width);
        _mixed = new AlignedMemory(TileKernel.MaxRows * Columns * sizeof(float));
    }

    /// <summary>Mixes values for consecutive queries, whose own keys and values are in the slot already.</summary>
    /// <param name="place">Layer, slot and head.</param>
    /// <param name="scale">What scores are multiplied with.</param>
    /// <param name="queries">The queries.</param>
    /// <param name="mixed">Where results go, one row a query.</param>
    internal void Run(KvPlace place, float scale, QueryRows queries, MixedRows mixed)
    {
        for (int first = 0; first < queries.Count; first += _queries.MaxRows)
        {
            int count = Math.Min(_queries.MaxRows, queries.Count - first);
            for (int row = 0; row < count; row++)
                _queries.Write(row, queries.Query(first + row), _arena.Layout.HeadSize);
            int start = queries.Position + first;
            Score(place, start, count);
            for (int row = 0; row < count; row++)
                Share(place, row, start + row + 1, start + count, scale);
            Mix(place, count, start + count, mixed with { Address = mixed.Address + (first * mixed.Stride) });
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queries.Dispose();
        _scores.Dispose();
        _shares.Dispose();
        _mixed.Dispose();
    }

    void Score(KvPlace place, int start, int count)
    {
        byte* panel = _arena.Keys(place, 0);
        for (int position = 0; position < start + count; position += Columns)
        {
            _queries.Multiply(panel, _arena.Layout.KeyLanes, count, _scores.Floats + position, _width);
            panel += _arena.Layout.KeyPanelBytes;
        }
    }

    // Scores of one row to shares: the first so many become their softmax, those up to the tile's end 0. What is not a number, or not finite, makes all of them so.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Share(KvPlace place, int row, int count, int end, float scale)
    {
        float* scores = _scores.Floats + ((long)row * _width);
        int last = (count - 1) / Step * Step; // place of the last vector, which may be a part
        Vector512<float> highest = Highest(place, scores, (last, Inside(count - last)));
        float factor = scale * MathF.Log2(MathF.E);
        Vector512<float> factors = Vector512.Create(factor);
        Vector512<float> offsets = Vector512.Create(-Float512.Largest(highest) * factor);
        Vector512<float> sums = Vector512<float>.Zero;
        for (int at = 0; at < last; at += Step)
        {
            Vector512<float> power = Float512.Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(scores + at), factors, offsets), Least);
            power.Store(scores + at);
            sums += power;
        }

        Vector512<float> rest = Float512.Exp2(Vector512.FusedMultiplyAdd(Vector512.Load(scores + last), factors, offsets), Least) & Inside(count - last);
        rest.Store(scores + last);
        Write(place, row, (last + Step, end), Vector512.Create(1 / Vector512.Sum(sums + rest)));
    }

    // The highest score of each lane, after scores were brought to their size.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    Vector512<float> Highest(KvPlace place, float* scores, (int At, Vector512<float> Inside) last)
    {
        Vector512<float> highest = Vector512.Create(float.MinValue);
        if (_arena.Layout.ScaleCount == 0)
        {
            for (int at = 0; at < last.At; at += Step)
                highest = Float512.Larger(Vector512.Load(scores + at), highest);
        }
        else
        {
            float* scales = _arena.KeyScales(place);
            for (int at = 0; at <= last.At; at += Step)
            {
                Vector512<float> score = Vector512.Load(scores + at) * Vector512.Load(scales + at);
                score.Store(scores + at);
                highest = at < last.At ? Float512.Larger(score, highest) : highest;
            }
        }

        return Float512.Larger(Vector512.ConditionalSelect(last.Inside, Vector512.Load(scores + last.At), Vector512.Create(float.MinValue)), highest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Write(KvPlace place, int row, (int Count, int End) range, Vector512<float> share)
    {
        float* scores = _scores.Floats + ((long)row * _width);
        int padded = (range.End + Columns - 1) / Columns * Columns;
        for (int at = range.Count; at < padded; at += Step)
            Vector512<float>.Zero.Store(scores + at);
        if (_arena.Layout.ScaleCount == 0)
        {
            for (int at = 0; at < range.Count; at += Step)
                (Vector512.Load(scores + at) * share).Store(scores + at);
        }
        else
        {
            float* scales = _arena.ValueScales(place);
            for (int at = 0; at < range.Count; at += Step)
                (Vector512.Load(scores + at) * share * Vector512.Load(scales + at)).Store(scores + at);
        }

        _shares.Write(row, scores, padded);
    }

    void Mix(KvPlace place, int count, int end, MixedRows mixed)
    {
        int lanes = TileKernel.Lanes(_arena.Layout.Type, end);
        for (int panel = 0; panel < _arena.Layout.ValuePanels; panel++)
        {
            _shares.Multiply(_arena.Values(place, panel), lanes, count, _mixed.Floats, Columns);
            int numbers = Math.Min(Columns, _arena.Layout.HeadSize - (panel * Columns));
            for (int row = 0; row < count; row++)
                RowBuffer.Convert(mixed.Type, _mixed.Floats + (row * Columns), numbers, mixed.Row(row, panel * Columns));
        }
    }

    static Vector512<float> Inside(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}

/// <summary>Consecutive queries of one head, float32.</summary>
/// <param name="Address">Of the first.</param>
/// <param name="Stride">Bytes from one to the next.</param>
/// <param name="Position">The first's position.</param>
/// <param name="Count">How many.</param>
internal readonly unsafe record struct QueryRows(nint Address, nint Stride, int Position, int Count)
{
    internal float* Query(int row) => (float*)(Address + (row * Stride));
}

/// <summary>One head's part of mixed values, float32 or bfloat16.</summary>
/// <param name="Type">Which.</param>
/// <param name="Address">Of the first row.</param>
/// <param name="Stride">Bytes from row to row.</param>
internal readonly unsafe record struct MixedRows(TileType Type, nint Address, nint Stride)
{
    internal byte* Row(int row, int column) => (byte*)(Address + (row * Stride) + (column * (Type == TileType.BFloat16 ? sizeof(ushort) : sizeof(float))));
}
