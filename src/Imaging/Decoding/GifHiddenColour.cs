namespace IgptCluster.Imaging.Decoding;

/// <summary>
/// The colour a GIF's first frame has where it is transparent or leaves the screen uncovered: the decoder gives
/// black there, Pillow the palette's entry of the transparent index, else entry 0.
/// </summary>
static class GifHiddenColour
{
    const int ScreenDescriptorEnd = 13;
    const byte Extension = 0x21;
    const byte GraphicControl = 0xF9;
    const byte ImageDescriptor = 0x2C;

    /// <summary>Reads the blocks before the first frame's data; black where the file breaks off or has no palette.</summary>
    internal static (byte Red, byte Green, byte Blue) Read(ReadOnlySpan<byte> gif)
    {
        if (gif.Length < ScreenDescriptorEnd)
            return default;
        int globalEntries = Entries(gif[10]);
        int position = ScreenDescriptorEnd + (globalEntries * 3);
        int index = 0;
        while (position + 1 < gif.Length && gif[position] == Extension)
        {
            if (gif[position + 1] == GraphicControl && position + 7 < gif.Length && (gif[position + 3] & 1) != 0)
                index = gif[position + 6];
            position = SkipSubBlocks(gif, position + 2);
        }

        if (position + 10 > gif.Length || gif[position] != ImageDescriptor)
            return default;
        int localEntries = Entries(gif[position + 9]);
        return localEntries > 0
            ? Entry(gif, position + 10, localEntries, index)
            : Entry(gif, ScreenDescriptorEnd, globalEntries, index);
    }

    static int Entries(byte packed) => (packed & 0x80) != 0 ? 2 << (packed & 7) : 0;

    static int SkipSubBlocks(ReadOnlySpan<byte> gif, int position)
    {
        while (position < gif.Length && gif[position] != 0)
            position += gif[position] + 1;
        return position + 1;
    }

    static (byte Red, byte Green, byte Blue) Entry(ReadOnlySpan<byte> gif, int table, int entries, int index)
    {
        int at = table + (index * 3);
        return index < entries && at + 3 <= gif.Length ? (gif[at], gif[at + 1], gif[at + 2]) : default;
    }
}
