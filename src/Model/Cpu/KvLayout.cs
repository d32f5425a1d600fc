namespace IgptCluster.Model;

/// <summary>
/// How one head of one slot lies in memory, in the panels that products read: keys [positions / 32][lanes of the head's size][32 positions], then values
/// [head size / 32][lanes of positions][32 numbers], then, for bytes, what each position's key and value count.
/// </summary>
/// <param name="Type">float32, bfloat16, or bytes that become float32.</param>
/// <param name="Positions">n_positions.</param>
/// <param name="HeadSize">Numbers of a head.</param>
internal readonly record struct KvLayout(TileType Type, int Positions, int HeadSize)
{
    const int Columns = TileKernel.Columns;

    internal static KvLayout Of(TileType type, ImageGptConfig config) => new(type, config.PositionCount, config.HeadSize);

    /// <summary>Panels that a head's values take.</summary>
    internal int ValuePanels => (HeadSize + Columns - 1) / Columns;

    /// <summary>Lanes of one key panel.</summary>
    internal int KeyLanes => TileKernel.Lanes(Type, HeadSize);

    /// <summary>Bytes of one lane of 32 columns.</summary>
    internal int LaneBytes => Columns * TileKernel.LaneBytes(Type);

    internal long KeyPanelBytes => (long)KeyLanes * LaneBytes;

    internal long ValuePanelBytes => (long)TileKernel.Lanes(Type, Positions) * LaneBytes;

    internal long KeyBytes => (Positions + Columns - 1) / Columns * KeyPanelBytes;

    internal long ScalesAt => KeyBytes + (ValuePanels * ValuePanelBytes);

    /// <summary>Scales of keys, and of values: 0 but for bytes.</summary>
    internal int ScaleCount => Type == TileType.Int8ByFloat32 ? (Positions + Columns - 1) / Columns * Columns : 0;

    /// <summary>All of it.</summary>
    internal long HeadBytes => ScalesAt + (2L * ScaleCount * sizeof(float));
}
