using System.Buffers.Binary;
using IgptCluster.Imaging.Output;

namespace IgptCluster.Imaging.Decoding;

/// <summary>The EXIF orientation of a PNG, from its eXIf chunk (PNG specification, third edition, 11.3.4.5), which the decoder does not read.</summary>
static class PngOrientation
{
    const int Upright = 1;
    const int ChunkFrame = 12; // length, type and check sum
    const int OrientationTag = 0x0112;
    const int ShortType = 3;
    const int EntryBytes = 12;

    /// <summary>The orientation by EXIF's numbering, 1 to 8; 1 where there is none that can be read.</summary>
    /// <param name="png">The whole file.</param>
    internal static int Read(ReadOnlySpan<byte> png)
    {
        ReadOnlySpan<byte> chunks = png.StartsWith(ImageSignature.Png) ? png[ImageSignature.Png.Length..] : default;
        while (chunks.Length >= ChunkFrame)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(chunks);
            if (length > chunks.Length - ChunkFrame)
                return Upright;
            ReadOnlySpan<byte> typed = chunks.Slice(4, 4 + (int)length);
            if (typed.StartsWith("eXIf"u8) && BinaryPrimitives.ReadUInt32BigEndian(chunks[(8 + (int)length)..]) == Crc32.Compute(typed))
                return ReadExif(typed[4..]);
            chunks = chunks[(ChunkFrame + (int)length)..];
        }

        return Upright;
    }

    /// <summary>The orientation in the first directory of EXIF's TIFF structure.</summary>
    static int ReadExif(ReadOnlySpan<byte> exif)
    {
        // Some programs write the prefix that JPEG needs.
        exif = exif.StartsWith("Exif\0\0"u8) ? exif[6..] : exif;
        bool isLittle = exif.StartsWith("II*\0"u8);
        if ((!isLittle && !exif.StartsWith("MM\0*"u8)) || exif.Length < 8)
            return Upright;
        uint directory = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(exif[4..]) : BinaryPrimitives.ReadUInt32BigEndian(exif[4..]);
        if (directory > exif.Length - 2)
            return Upright;
        ReadOnlySpan<byte> entries = exif[(int)directory..];
        int count = Short(entries, isLittle);
        entries = entries[2..];
        for (; count > 0 && entries.Length >= EntryBytes; count--, entries = entries[EntryBytes..])
        {
            if (Short(entries, isLittle) == OrientationTag && Short(entries[2..], isLittle) == ShortType)
                return Short(entries[8..], isLittle) is >= 1 and <= 8 and int orientation ? orientation : Upright;
        }

        return Upright;
    }

    static int Short(ReadOnlySpan<byte> bytes, bool isLittle) => isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
}
