namespace IgptCluster.Imaging.Output;

/// <summary>The check sum of PNG chunks: CRC-32 of ISO 3309, reflected polynomial EDB88320 (PNG specification, annex D).</summary>
static class Crc32
{
    static readonly uint[] Table = CreateTable();

    /// <summary>The check sum of the bytes of <paramref name="first"/> followed by those of <paramref name="second"/>.</summary>
    internal static uint Compute(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default) =>
        ~Add(Add(uint.MaxValue, first), second);

    static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
            crc = Table[(byte)crc ^ value] ^ (crc >> 8);
        return crc;
    }

    static uint[] CreateTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1;
            table[i] = crc;
        }

        return table;
    }
}
