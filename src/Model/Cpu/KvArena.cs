using System.Runtime.Intrinsics;

namespace IgptCluster.Model;

/// <summary>
/// Keys and values of all slots, in the panels that products read: keys [positions / 32][lanes of the head's size][32 positions], values
/// [head size / 32][lanes of positions][32 numbers]. As signed bytes they have a scale for each position and head. Different heads and slots may be used by
/// different threads.
/// </summary>
internal sealed unsafe class KvArena : IDisposable
{
    const int Columns = TileKernel.Columns;

    readonly AlignedMemory _memory;
    readonly (int Layers, int Slots, int Heads, int Positions, int HeadSize) _sizes;

    /// <summary>Allocates.</summary>
    /// <param name="type">float32, bfloat16, or bytes that become float32.</param>
    /// <param name="config">The model.</param>
    /// <param name="slots">How many slots.</param>
    internal KvArena(TileType type, ImageGptConfig config, int slots)
    {
        (Type, _sizes) = (type, (config.LayerCount, slots, config.HeadCount, config.PositionCount, config.HeadSize));
        _memory = new AlignedMemory(SlotBytes(type, config) * slots);
    }

    internal TileType Type { get; }

    internal int HeadSize => _sizes.HeadSize;

    /// <summary>Panels that a head's values take.</summary>
    internal int ValuePanels => (HeadSize + Columns - 1) / Columns;

    /// <summary>Lanes of one key panel.</summary>
    internal int KeyLanes => TileKernel.Lanes(Type, HeadSize);

    long KeyPanelBytes => (long)KeyLanes * Columns * TileKernel.LaneBytes(Type);

    long ValuePanelBytes => (long)TileKernel.Lanes(Type, _sizes.Positions) * Columns * TileKernel.LaneBytes(Type);

    long KeyBytes => (_sizes.Positions + Columns - 1) / Columns * KeyPanelBytes;

    int ScaleCount => Type == TileType.Int8ByFloat32 ? (_sizes.Positions + Columns - 1) / Columns * Columns : 0;

    long HeadBytes => KeyBytes + (ValuePanels * ValuePanelBytes) + (2L * ScaleCount * sizeof(float));

    /// <summary>Memory of one slot in bytes.</summary>
    internal static long SlotBytes(TileType type, ImageGptConfig config)
    {
        using var one = new KvArena(type, config);
        return one.HeadBytes * config.HeadCount * config.LayerCount;
    }

    KvArena(TileType type, ImageGptConfig config)
    {
        (Type, _sizes) = (type, (config.LayerCount, 0, config.HeadCount, config.PositionCount, config.HeadSize));
        _memory = new AlignedMemory(0);
    }

    /// <summary>The panel of keys that begins with a position, a multiple of 32.</summary>
    internal byte* Keys(KvPlace place, int position) => Head(place) + (position / Columns * KeyPanelBytes);

    /// <summary>One panel of values: all positions, 32 numbers of the head.</summary>
    internal byte* Values(KvPlace place, int panel) => Head(place) + KeyBytes + (panel * ValuePanelBytes);

    /// <summary>What a byte of a key counts, for each position.</summary>
    internal float* KeyScales(KvPlace place) => (float*)(Head(place) + KeyBytes + (ValuePanels * ValuePanelBytes));

    /// <summary>The same of values.</summary>
    internal float* ValueScales(KvPlace place) => KeyScales(place) + ScaleCount;

    /// <summary>
    /// Writes keys and values of consecutive positions. Values behind them that products read along with them become 0, so that nothing left there counts.
    /// </summary>
    /// <param name="place">Layer, slot and head.</param>
    /// <param name="start">First position.</param>
    /// <param name="count">How many.</param>
    /// <param name="rows">Keys and values.</param>
    internal void Write(KvPlace place, int start, int count, KeyValueRows rows)
    {
        int step = TileKernel.LaneStep * TileKernel.PerLane(Type);
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
        long keys = (range.Length + Columns - 1) / Columns * KeyPanelBytes;
        long values = (long)TileKernel.Lanes(Type, range.Length) * Columns * TileKernel.LaneBytes(Type);
        (KvPlace from, KvPlace to) = (new KvPlace(range.Layer, range.Source, range.Head), new KvPlace(range.Layer, range.Target, range.Head));
        Buffer.MemoryCopy(Keys(from, 0), Keys(to, 0), keys, keys);
        for (int panel = 0; panel < ValuePanels; panel++)
            Buffer.MemoryCopy(Values(from, panel), Values(to, panel), values, values);
        long scales = Math.Min(range.Length, ScaleCount) * sizeof(float);
        Buffer.MemoryCopy(KeyScales(from), KeyScales(to), scales, scales);
        Buffer.MemoryCopy(ValueScales(from), ValueScales(to), scales, scales);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    byte* Head(KvPlace place) => _memory.Start + (((((long)place.Layer * _sizes.Slots) + place.Slot) * _sizes.Heads) + place.Head) * HeadBytes;

    void WriteKey(KvPlace place, int position, float* key)
    {
        byte* panel = Keys(place, position);
        int column = position % Columns;
        if (Type == TileType.Int8ByFloat32)
        {
            KeyScales(place)[position] = WriteBytes(key, (sbyte*)panel + column, Columns);
            return;
        }

        uint* lanes = stackalloc uint[KeyLanes];
        RowBuffer.Convert(Type, key, HeadSize, (byte*)lanes);
        for (int lane = 0; lane < KeyLanes; lane++)
            ((uint*)panel)[(lane * Columns) + column] = lanes[lane];
    }

    void WriteValue(KvPlace place, int position, float* value)
    {
        float* padded = stackalloc float[ValuePanels * Columns];
        new ReadOnlySpan<float>(value, HeadSize).CopyTo(new Span<float>(padded, HeadSize));
        if (Type == TileType.Int8ByFloat32)
        {
            sbyte* bytes = stackalloc sbyte[ValuePanels * Columns];
            ValueScales(place)[position] = WriteBytes(value, bytes, 1);
            for (int panel = 0; panel < ValuePanels; panel++)
                Vector256.Load(bytes + (panel * Columns)).Store((sbyte*)Values(place, panel) + (position * Columns));
            return;
        }

        bool isUpper = Type == TileType.BFloat16 && position % 2 == 1; // the lane's second number
        for (int at = 0; at < ValuePanels * Columns; at += Vector512<float>.Count)
        {
            uint* lanes = (uint*)Values(place, at / Columns) + (position / TileKernel.PerLane(Type) * Columns) + (at % Columns);
            Vector512<float> numbers = Vector512.Load(padded + at);
            Vector512<uint> bits = Type == TileType.BFloat16 ? Brain16.Narrow(numbers) : numbers.AsUInt32();
            (isUpper ? (Vector512.Load(lanes) & Vector512.Create(0xFFFFu)) | (bits << 16) : bits).Store(lanes);
        }
    }

    // Values behind a position, to the end of its step of lanes.
    void ClearBehind(KvPlace place, int position, int step)
    {
        int perLane = TileKernel.PerLane(Type);
        int laneBytes = Columns * TileKernel.LaneBytes(Type);
        (int first, int end) = ((position / perLane) + 1, ((position / step) + 1) * TileKernel.LaneStep);
        for (int panel = 0; panel < ValuePanels; panel++)
            new Span<byte>(Values(place, panel) + (first * laneBytes), (end - first) * laneBytes).Clear();
        if (ScaleCount > 0)
            new Span<float>(ValueScales(place) + position + 1, Columns - 1 - (position % Columns)).Clear();
    }

    // Returns what a byte counts.
    float WriteBytes(float* from, sbyte* to, int step)
    {
        float largest = 0;
        for (int at = 0; at < HeadSize; at++)
            largest = MathF.Max(largest, MathF.Abs(from[at])); // a NaN stays one
        float factor = largest > 0 ? sbyte.MaxValue / largest : 0;
        for (int at = 0; at < HeadSize; at++)
            to[at * step] = (sbyte)MathF.Round(from[at] * factor);
        return largest / sbyte.MaxValue;
    }
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
