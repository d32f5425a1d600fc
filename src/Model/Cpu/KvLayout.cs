namespace IgptCluster.Model.Cpu;

/// <summary>
/// How one head of one slot lies in memory, in the panels that products read: keys [positions / 32][lanes of the head's size][32 positions], then values
/// [head size / 32][lanes of positions][32 numbers], then, for bytes, what each position's key and value count. All is computed once: it is asked for all the time.
/// </summary>
internal sealed class KvLayout
{
    const int Columns = TileKernel.Columns;

    /// <summary>Lays out.</summary>
    /// <param name="type">How numbers are kept.</param>
    /// <param name="config">The model.</param>
    internal KvLayout(TileType type, ImageGptConfig config)
    {
        (Type, HeadSize, PerLane) = (type, config.HeadSize, TileKernel.PerLane(type));
        int positionPanels = (config.PositionCount + Columns - 1) / Columns;
        ValuePanels = (HeadSize + Columns - 1) / Columns;
        KeyLanes = TileKernel.Lanes(type, HeadSize);
        LaneBytes = Columns * sizeof(float);
        KeyPanelBytes = (long)KeyLanes * LaneBytes;
        ValuesAt = positionPanels * KeyPanelBytes;
        ValuePanelBytes = (long)TileKernel.Lanes(type, config.PositionCount) * LaneBytes;
        ScalesAt = ValuesAt + (ValuePanels * ValuePanelBytes);
        ScaleCount = type == TileType.Int8 ? positionPanels * Columns : 0;
        HeadBytes = ScalesAt + (2L * ScaleCount * sizeof(float));
    }

    internal TileType Type { get; }

    internal int HeadSize { get; }

    /// <summary>Numbers that share a lane.</summary>
    internal int PerLane { get; }

    /// <summary>Panels that a head's values take.</summary>
    internal int ValuePanels { get; }

    /// <summary>Lanes of one key panel.</summary>
    internal int KeyLanes { get; }

    /// <summary>Bytes of one lane of 32 columns.</summary>
    internal int LaneBytes { get; }

    internal long KeyPanelBytes { get; }

    internal long ValuesAt { get; }

    internal long ValuePanelBytes { get; }

    internal long ScalesAt { get; }

    /// <summary>Scales of keys, and of values: 0 but for bytes.</summary>
    internal int ScaleCount { get; }

    /// <summary>All of it.</summary>
    internal long HeadBytes { get; }
}
