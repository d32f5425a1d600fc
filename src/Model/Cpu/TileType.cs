namespace IgptCluster.Model;

/// <summary>How the numbers of a tile's product lie in memory: how many neighbours along the inner dimension share one lane of 4 bytes.</summary>
internal enum TileType
{
    /// <summary>float32 by float32, one a lane.</summary>
    Float32,

    /// <summary>bfloat16 by bfloat16, two a lane, summed in float32.</summary>
    BFloat16,

    /// <summary>Panels of bytes that stand for value + 128, by signed bytes, four a lane, summed in int32.</summary>
    Int8,
}
