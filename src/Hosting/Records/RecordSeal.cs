using System.Buffers.Binary;
using System.IO.Hashing;

namespace IgptCluster.Hosting.Records;

/// <summary>A mark and a checksum before a record. Records without the mark, of versions before, are taken as they are.</summary>
internal static class RecordSeal
{
    const int HeadLength = 4 + sizeof(ulong);

    static ReadOnlySpan<byte> Mark => [0xFF, (byte)'i', (byte)'g', 1]; // no record of Orleans' serializer begins so

    /// <summary>Puts mark and checksum before a record.</summary>
    /// <param name="record">The record.</param>
    internal static byte[] Seal(ReadOnlySpan<byte> record)
    {
        byte[] whole = new byte[HeadLength + record.Length];
        Mark.CopyTo(whole);
        BinaryPrimitives.WriteUInt64LittleEndian(whole.AsSpan(Mark.Length), XxHash3.HashToUInt64(record));
        record.CopyTo(whole.AsSpan(HeadLength));
        return whole;
    }

    /// <summary>The record that was sealed.</summary>
    /// <param name="stored">What is stored.</param>
    /// <exception cref="DamagedRecordException">It is not what was written.</exception>
    internal static ReadOnlyMemory<byte> Open(ReadOnlyMemory<byte> stored)
    {
        if (stored.Length < HeadLength || !stored.Span.StartsWith(Mark))
        {
            return stored;
        }

        ReadOnlyMemory<byte> record = stored[HeadLength..];
        return BinaryPrimitives.ReadUInt64LittleEndian(stored.Span[Mark.Length..]) == XxHash3.HashToUInt64(record.Span)
            ? record
            : throw new DamagedRecordException($"its checksum is wrong ({stored.Length} bytes)");
    }
}
