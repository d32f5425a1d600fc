using System.Runtime.Intrinsics;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Keys and values of all slots, [layers, slots, heads] each laid out as <see cref="KvLayout"/> says. Different heads and slots may be used by different
/// threads.
/// </summary>
internal sealed unsafe class KvArena : IDisposable
{
    const int Columns = TileKernel.Columns;

    readonly AlignedMemory _memory;
    readonly int _slots;
    readonly int _heads;

    /// <summary>Allocates.</summary>
    /// <param name="layout">One head.</param>
    /// <param name="config">The model.</param>
    /// <param name="slots">How many slots.</param>
    internal KvArena(KvLayout layout, ImageGptConfig config, int slots)
    {
        (Layout, _slots, _heads) = (layout, slots, config.HeadCount);
        _memory = new AlignedMemory(layout.HeadBytes * config.HeadCount * config.LayerCount * slots);
    }

    internal KvLayout Layout { get; }

    /// <summary>The panel of keys that begins with a position, a multiple of 32.</summary>
    internal byte* Keys(KvPlace place, int position) => Head(place) + (position / Columns * Layout.KeyPanelBytes);

    /// <summary>One panel of values: all positions, 32 numbers of the head.</summary>
    internal byte* Values(KvPlace place, int panel) => Head(place) + Layout.ValuesAt + (panel * Layout.ValuePanelBytes);

    /// <summary>What a byte of a key counts, for each position.</summary>
    internal float* KeyScales(KvPlace place) => (float*)(Head(place) + Layout.ScalesAt);

    /// <summary>The same of values.</summary>
    internal float* ValueScales(KvPlace place) => KeyScales(place) + Layout.ScaleCount;

    /// <summary>
    /// Writes keys and values of consecutive positions. Values behind them that products read along with them become 0, so that nothing left there counts.
    /// </summary>
    /// <param name="place">Layer, slot and head.</param>
    /// <param name="start">First position.</param>
    /// <param name="count">How many.</param>
    /// <param name="rows">Keys and values.</param>
    internal void Write(KvPlace place, int start, int count, KeyValueRows rows)
    {
        int step = TileKernel.LaneStep * Layout.PerLane;
        for (int position = start; position < start + count; position++)
        {
            WriteKey(place, position, rows.Keys);
            WriteValue(place, position, rows.Values);
            if (position == start || position % step == 0)
                ClearBehind(place, position, step);
            rows = rows.Next;
        }
    }

    /// <summary>Copies the first positions of a slot to another, all layers and heads.</summary>
    internal void CopyPrefix(PrefixRange range)
    {
        long keys = (range.Length + Columns - 1) / Columns * Layout.KeyPanelBytes;
        long values = (long)TileKernel.Lanes(Layout.Type, range.Length) * Layout.LaneBytes;
        (KvPlace from, KvPlace to) = (new KvPlace(range.Layer, range.Source, range.Head), new KvPlace(range.Layer, range.Target, range.Head));
        Buffer.MemoryCopy(Keys(from, 0), Keys(to, 0), keys, keys);
        for (int panel = 0; panel < Layout.ValuePanels; panel++)
            Buffer.MemoryCopy(Values(from, panel), Values(to, panel), values, values);
        long scales = Math.Min(range.Length, Layout.ScaleCount) * sizeof(float);
        Buffer.MemoryCopy(KeyScales(from), KeyScales(to), scales, scales);
        Buffer.MemoryCopy(ValueScales(from), ValueScales(to), scales, scales);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    byte* Head(KvPlace place) => _memory.Start + (((((long)place.Layer * _slots) + place.Slot) * _heads) + place.Head) * Layout.HeadBytes;

    void WriteKey(KvPlace place, int position, float* key)
    {
        uint* lanes = stackalloc uint[Math.Max(Layout.KeyLanes, Layout.ValuePanels * Columns)];
        if (Layout.Type == TileType.Int8)
            KeyScales(place)[position] = ToBytes(key, (byte*)lanes);
        else
            RowBuffer.Convert(Layout.Type, key, Layout.HeadSize, (byte*)lanes);
        uint* column = (uint*)Keys(place, position) + (position % Columns);
        for (int lane = 0; lane < Layout.KeyLanes; lane++)
            column[lane * Columns] = lanes[lane];
    }

    void WriteValue(KvPlace place, int position, float* value)
    {
        byte* bytes = stackalloc byte[Layout.ValuePanels * Columns];
        float* padded = stackalloc float[Layout.ValuePanels * Columns];
        if (Layout.Type == TileType.Int8)
            ValueScales(place)[position] = ToBytes(value, bytes);
        else
            Pad(value, padded);
        int shift = position % Layout.PerLane * (32 / Layout.PerLane); // where in the lane
        Vector512<uint> before = Vector512.Create((1u << shift) - 1);
        for (int at = 0; at < Layout.ValuePanels * Columns; at += Vector512<float>.Count)
        {
            uint* lanes = (uint*)Values(place, at / Columns) + (position / Layout.PerLane * Columns) + (at % Columns);
            Vector512<uint> bits = Layout.Type switch
            {
                TileType.Int8 => Float512.FromBytes(Vector128.Load(bytes + at)),
                TileType.BFloat16 => BFloat16.Narrow(Vector512.Load(padded + at)),
                _ => Vector512.Load(padded + at).AsUInt32(),
            };
            ((Vector512.Load(lanes) & before) | (bits << shift)).Store(lanes);
        }
    }

    // Values behind a position, to the end of its step of lanes.
    void ClearBehind(KvPlace place, int position, int step)
    {
        int perLane = Layout.PerLane;
        (int first, int end) = ((position / perLane) + 1, ((position / step) + 1) * TileKernel.LaneStep);
        for (int panel = 0; panel < Layout.ValuePanels; panel++)
            new Span<byte>(Values(place, panel) + (first * Layout.LaneBytes), (end - first) * Layout.LaneBytes).Clear();
        if (Layout.ScaleCount > 0)
            new Span<float>(ValueScales(place) + position + 1, Columns - 1 - (position % Columns)).Clear();
    }

    // A head's numbers to bytes of a panel; returns what a byte counts, NaN if a number is.
    float ToBytes(float* from, byte* to)
    {
        float* padded = stackalloc float[Layout.ValuePanels * Columns];
        Pad(from, padded);
        Vector512<float> highest = Vector512<float>.Zero;
        for (int at = 0; at < Layout.HeadSize; at += Vector512<float>.Count)
            highest = Vector512.Max(highest, Vector512.Abs(Vector512.Load(padded + at)));
        float largest = Float512.Largest(highest);
        Vector512<float> factor = Vector512.Create(largest > 0 ? sbyte.MaxValue / largest : 0);
        for (int at = 0; at < Layout.HeadSize; at += Vector512<float>.Count)
        {
            Vector512<float> rounded = Vector512.Round(Vector512.Load(padded + at) * factor);
            (Float512.ToBytes(Vector512.ConvertToInt32(rounded)).AsByte() + Vector128.Create((byte)TileKernel.ZeroByte)).Store(to + at);
        }

        return largest / sbyte.MaxValue;
    }

    // A head's numbers to where whole vectors may be read.
    void Pad(float* from, float* to) => new ReadOnlySpan<float>(from, Layout.HeadSize).CopyTo(new Span<float>(to, Layout.HeadSize));
}

/// <summary>Keys and values to write, float32.</summary>
/// <param name="Key">Address of the first key.</param>
/// <param name="Value">Address of the first value.</param>
/// <param name="Stride">Bytes from position to position.</param>
internal readonly unsafe record struct KeyValueRows(nint Key, nint Value, nint Stride)
{
    internal float* Keys => (float*)Key;

    internal float* Values => (float*)Value;

    internal KeyValueRows Next => this with { Key = Key + Stride, Value = Value + Stride };
}

/// <summary>Where keys and values lie.</summary>
internal readonly record struct KvPlace(int Layer, int Slot, int Head);

/// <summary>A prefix to copy between slots, of one layer and head.</summary>
internal readonly record struct PrefixRange(int Layer, int Head, int Source, int Target, int Length);
