using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using IgptCluster.Imaging.Output;

namespace IgptCluster.Imaging.Decoding;

/// <summary>
/// Gets at both bytes of a 16-bit gray PNG with a decoder that only gives eight bits: its scanlines have the same
/// layout as 8-bit gray with alpha, so a copy whose header says so yields the high byte as gray and the low one as alpha.
/// </summary>
static class Gray16Png
{
    const int HeaderType = 12;
    const int Depth = 24;
    const int ColourType = 25;
    const int HeaderCrc = 29;

    internal static bool TryAsGrayAlpha(ReadOnlySpan<byte> png, [NotNullWhen(true)] out byte[]? grayAlpha)
    {
        grayAlpha = null;
        if (png.Length < HeaderCrc + 4 || !png[HeaderType..].StartsWith("IHDR"u8) || png[Depth] != 16 || png[ColourType] != 0)
            return false;

        // A header with a wrong check sum must stay wrong.
        if (BinaryPrimitives.ReadUInt32BigEndian(png[HeaderCrc..]) != Crc32.Compute(png[HeaderType..HeaderCrc]))
            return false;
        grayAlpha = png.ToArray();
        grayAlpha[Depth] = 8;
        grayAlpha[ColourType] = 4;
        BinaryPrimitives.WriteUInt32BigEndian(grayAlpha.AsSpan(HeaderCrc), Crc32.Compute(grayAlpha.AsSpan(HeaderType..HeaderCrc)));
        return true;
    }
}
