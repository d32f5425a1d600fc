using System.Buffers.Binary;
using System.IO.Compression;

namespace IgptCluster.Imaging;

/// <summary>The parts of PNG and APNG files: chunks, headers and compressed scanlines of 8-bit RGB.</summary>
static class PngChunks
{
    internal static void Write(Stream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        byte[] chunk = new byte[12 + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        type.CopyTo(chunk.AsSpan(4));
        data.CopyTo(chunk.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + data.Length), Crc32.Compute(chunk.AsSpan(4, 4 + data.Length)));
        output.Write(chunk);
    }

    /// <summary>IHDR: 8 bits per channel, RGB, not interlaced.</summary>
    internal static byte[] Header(RgbImage image)
    {
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, image.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), image.Height);
        header[8] = 8;
        header[9] = 2;
        return header;
    }

    /// <summary>Scanlines, each with the filter "up": enlarged pixels make most rows equal to the one above.</summary>
    internal static byte[] Compress(RgbImage image)
    {
        const byte up = 2;
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            byte[] line = new byte[1 + (image.Width * 3)];
            byte[] above = new byte[image.Width * 3];
            for (int y = 0; y < image.Height; y++)
            {
                ReadOnlySpan<byte> row = image.Row(y);
                line[0] = up;
                for (int i = 0; i < row.Length; i++)
                    line[i + 1] = unchecked((byte)(row[i] - above[i]));
                zlib.Write(line);
                row.CopyTo(above);
            }
        }

        return compressed.ToArray();
    }
}
