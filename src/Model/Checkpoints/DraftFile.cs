using System.Buffers.Binary;
using System.Security.Cryptography;
using IgptCluster.Engine.Drafting;
using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// The file of a checkpoint that says what follows which neighbours in its pictures, so that tokens are guessed from the first pixel on (<c>igpt-train draft</c>). Little endian: "igptdft1"; number of contexts, u32; each
/// context: key, u64, four colours, u16, their counts, u16; SHA-256 of all that. Any thread.
/// </summary>
public static class DraftFile
{
    /// <summary>Name of the file in a checkpoint's folder.</summary>
    public const string Name = "draft.bin";

    /// <summary>The most contexts that a file may have: 24 MB.</summary>
    public const int MaxContexts = 1_000_000;

    const int HeaderSize = 12;
    const int EntrySize = sizeof(ulong) + (ContextEntry.Most * 2 * sizeof(ushort));

    static ReadOnlySpan<byte> Magic => "igptdft1"u8;

    /// <summary>Reads a checkpoint's table.</summary>
    /// <param name="folder">The checkpoint's folder.</param>
    /// <param name="colours">Colours of its palette.</param>
    /// <returns>Null where it has none.</returns>
    /// <exception cref="CheckpointException">The file breaks a rule.</exception>
    /// <exception cref="UserFileException">It is no regular file, or cannot be read.</exception>
    public static ContextTable? Read(string folder, int colours)
    {
        string path = Path.Combine(folder, Name);
        if (!UserFile.IsThere(path))
            return null;
        byte[] bytes = UserFile.ReadBytes(path, HeaderSize + (MaxContexts * EntrySize) + SHA256.HashSizeInBytes);
        int end = bytes.Length - SHA256.HashSizeInBytes;
        if (end < HeaderSize || !bytes.AsSpan(0, Magic.Length).SequenceEqual(Magic))
            throw new CheckpointException($"{path}: not a file of igpt-train draft: it must begin with igptdft1; make it again, or delete it: it only makes decoding faster");
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(Magic.Length));
        if (end != HeaderSize + (count * (long)EntrySize))
            throw new CheckpointException($"{path}: its length must be that of its contexts, {count:N0}, and a checksum; given {bytes.Length:N0} bytes. It is incomplete or damaged: make it again, or delete it: it only makes decoding faster");
        if (!SHA256.HashData(bytes.AsSpan(0, end)).AsSpan().SequenceEqual(bytes.AsSpan(end)))
            throw new CheckpointException($"{path}: its checksum must be that of what it holds; it is damaged: make it again, or delete it: it only makes decoding faster");
        var counts = new Dictionary<ulong, ContextEntry>((int)count);
        for (int at = HeaderSize; at < end; at += EntrySize)
            counts[BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at))] = Entry(bytes.AsSpan(at + sizeof(ulong), EntrySize - sizeof(ulong)), colours, path);
        return new ContextTable(counts);
    }

    /// <summary>Writes a table. The old file, if any, stays until the new one is whole.</summary>
    /// <param name="folder">The checkpoint's folder.</param>
    /// <param name="table">At most <see cref="MaxContexts"/> contexts.</param>
    /// <returns>The file's path.</returns>
    public static string Write(string folder, ContextTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(table.ContextCount, MaxContexts);
        byte[] bytes = new byte[HeaderSize + (table.ContextCount * EntrySize) + SHA256.HashSizeInBytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Magic.Length), (uint)table.ContextCount);
        int at = HeaderSize;
        foreach ((ulong key, ContextEntry entry) in table.Entries.OrderBy(pair => pair.Key))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), key);
            for (int i = 0; i < ContextEntry.Most; i++)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at + sizeof(ulong) + (2 * i)), (ushort)entry.Colour(i));
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at + sizeof(ulong) + (2 * (ContextEntry.Most + i))), (ushort)entry.Count(i));
            }

            at += EntrySize;
        }

        SHA256.HashData(bytes.AsSpan(0, at)).CopyTo(bytes.AsSpan(at));
        string path = Path.Combine(folder, Name);
        string written = path + ".new";
        File.WriteAllBytes(written, bytes);
        File.Move(written, path, overwrite: true);
        return path;
    }

    static ContextEntry Entry(ReadOnlySpan<byte> bytes, int colours, string path)
    {
        ContextEntry entry = default;
        for (int i = 0; i < ContextEntry.Most; i++)
        {
            int colour = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]), count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * (ContextEntry.Most + i))..]);
            if (count > 0 && colour >= colours)
                throw new CheckpointException($"{path}: a colour must be below {colours}, the palette's size; given {colour}. It is of another model: make it again, or delete it");
            if (count > 0)
                entry.Add(colour, count);
        }

        return entry;
    }
}
