using System.Buffers.Binary;
using IgptCluster.Imaging.Decoding;

namespace IgptCluster.Imaging.Output;

/// <summary>Writes PNG's signature and chunks, each with length and check sum.</summary>
sealed class PngWriter : IDisposable
{
    readonly MemoryStream _file = new();

    internal PngWriter(int width, int height)
    {
        _file.Write(ImageSignature.Png);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8; // bits a sample
        header[9] = 2; // RGB
        Write("IHDR"u8, header);
    }

    internal void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        WriteNumber((uint)data.Length);
        _file.Write(type);
        _file.Write(data);
        WriteNumber(Crc32.Compute(type, data));
    }

    /// <summary>Ends the file.</summary>
    internal byte[] Complete()
    {
        Write("IEND"u8, default);
        return _file.ToArray();
    }

    public void Dispose() => _file.Dispose();

    void WriteNumber(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        _file.Write(bytes);
    }
}
