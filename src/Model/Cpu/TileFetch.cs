namespace IgptCluster.Model.Cpu;

/// <summary>What a tile's product brings into the second cache meanwhile, so that memory works while the processor multiplies.</summary>
internal enum TileFetch
{
    /// <summary>Nothing: what only reads is read ahead best by the processor itself.</summary>
    Nothing,

    /// <summary>What lies 8 KB behind the panel's numbers that are multiplied; vectors of 512 bits only.</summary>
    Ahead,

    /// <summary>For every step of lanes and half of the columns four cache lines of the next panel; this and the following: vectors of 256 bits only.</summary>
    FourLines,

    /// <summary>Two.</summary>
    TwoLines,

    /// <summary>One.</summary>
    OneLine,
}
