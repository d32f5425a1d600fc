using System.Buffers.Binary;

namespace IgptCluster.Imaging.Tests.Output;

/// <summary>A strict reader of PNG's structure, with a check sum of its own.</summary>
sealed class PngFile
{
    static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    public PngFile(byte[] file)
    {
        Assert.True(file.AsSpan().StartsWith(Signature));
        int at = 8;
        while (at < file.Length)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at)));
            ReadOnlySpan<byte> typeAndData = file.AsSpan(at + 4, length + 4);
            Assert.Equal(Crc(typeAndData), BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)));
            Chunks.Add((System.Text.Encoding.ASCII.GetString(typeAndData[..4]), typeAndData[4..].ToArray()));
            at += length + 12;
        }

        Assert.Equal(file.Length, at);
        Assert.Equal("IHDR", Chunks[0].Type);
        Assert.Equal("IEND", Chunks[^1].Type);
        Assert.Empty(Chunks[^1].Data);
        byte[] header = Chunks[0].Data;
        Assert.Equal((byte[])[8, 2, 0, 0, 0], header[8..]);
        (Width, Height) = (Number(header, 0), Number(header, 4));
    }

    public List<(string Type, byte[] Data)> Chunks { get; } = [];

    public int Width { get; }

    public int Height { get; }

    public static int Number(byte[] data, int at) => BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(at));

    /// <summary>A still PNG of its own around the pixel data of one frame.</summary>
    public static byte[] Still(int width, int height, byte[] data)
    {
        using var file = new MemoryStream();
        file.Write(Signature);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, 2);
        Write(file, "IHDR", header);
        Write(file, "IDAT", data);
        Write(file, "IEND", []);
        return file.ToArray();
    }

    static void Write(MemoryStream file, string type, byte[] data)
    {
        byte[] typeAndData = [.. System.Text.Encoding.ASCII.GetBytes(type), .. data];
        var number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(typeAndData);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(typeAndData));
        file.Write(number);
    }

    /// <summary>Bit by bit, unlike the product's table.</summary>
    static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }

        return ~crc;
    }
}
