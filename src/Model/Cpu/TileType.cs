namespace IgptCluster.Model.Cpu;

/// <summary>How the numbers of a tile's product lie in memory: how many neighbours along the inner dimension share one lane of 4 bytes.</summary>
internal enum TileType
{
    /// <summary>float32 by float32, one a lane.</summary>
    Float32,

    /// <summary>bfloat16 by bfloat16, two a lane, summed in float32.</summary>
    BFloat16,

    /// <summary>Panels of bytes that are <see cref="TileKernel.ZeroByte"/> more than their number, -127 … 127, four a lane, by rows of signed bytes or <see cref="Int16"/>, summed in int32.</summary>
    Int8,

    /// <summary>Rows that meet panels of bytes where the processor multiplies whole numbers of 16 bits only: two a lane, of each four numbers the first and third, then the second and fourth.</summary>
    Int16,
}
