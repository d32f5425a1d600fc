using System.IO.Hashing;

namespace IgptCluster.Store.Integrity;

/// <summary>A part of a file that does not change any more, with a checksum for each block of it.</summary>
/// <param name="File">The file, relative to the store's folder.</param>
/// <param name="From">Where the part begins, bytes.</param>
/// <param name="Until">Where it ends, bytes, exclusive.</param>
/// <param name="Sums">A sum for each block: blocks begin at <paramref name="From"/> and at each multiple of <see cref="BlockSize"/> in the file.</param>
internal sealed record Extent(string File, long From, long Until, ulong[] Sums)
{
    /// <summary>Bytes that have a sum of their own.</summary>
    internal const int BlockSize = 1 << 20;

    /// <summary>Sums a part of a file up.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="file">The file, relative to the folder.</param>
    /// <param name="from">Where the part begins.</param>
    /// <param name="until">Where it ends, exclusive.</param>
    /// <param name="known">Extents summed up before: their whole blocks are not read again.</param>
    /// <exception cref="EndOfStreamException">The file is shorter.</exception>
    internal static Extent Measure(string folder, string file, long from, long until, IReadOnlyDictionary<string, Extent>? known = null)
    {
        using FileStream stream = Open(Path.Combine(folder, file));
        Extent? before = known?.GetValueOrDefault(file);
        byte[] block = new byte[BlockSize];
        return new Extent(file, from, until, [.. BlocksOf(from, until).Select(part => before?.SumOf(part) ?? Sum(stream, block, part.Begin, part.End))]);
    }

    /// <summary>Compares a part of a file with what it was.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="begin">What lies before is not compared: it is not needed any more.</param>
    /// <returns>What is wrong, in words; null: nothing.</returns>
    internal string? Check(string folder, long begin = 0)
    {
        if (begin >= Until)
        {
            return null;
        }

        if (CheckLength(folder) is { } problem)
        {
            return problem;
        }

        using FileStream stream = Open(Path.Combine(folder, File));
        byte[] block = new byte[BlockSize];
        int index = 0;
        foreach ((long Begin, long End) part in BlocksOf(From, Until))
        {
            if (part.End > begin && Sum(stream, block, part.Begin, part.End) != Sums[index])
            {
                return $"{File} is not what was written, between bytes {part.Begin} and {part.End}";
            }

            index++;
        }

        return null;
    }

    /// <summary>Looks whether the file is there and long enough.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>What is wrong, in words; null: nothing.</returns>
    internal string? CheckLength(string folder)
    {
        var file = new FileInfo(Path.Combine(folder, File));
        return !file.Exists ? $"{File} is missing" : file.Length < Until ? $"{File} has {file.Length} bytes, of at least {Until}" : null;
    }

    ulong? SumOf((long Begin, long End) part)
    {
        int index = 0;
        foreach ((long Begin, long End) own in BlocksOf(From, Until))
        {
            if (own == part)
            {
                return Sums[index];
            }

            index++;
        }

        return null;
    }

    static IEnumerable<(long Begin, long End)> BlocksOf(long from, long until)
    {
        for (long begin = from; begin < until;)
        {
            long end = Math.Min(until, ((begin / BlockSize) + 1) * BlockSize);
            yield return (begin, end);
            begin = end;
        }
    }

    static ulong Sum(FileStream stream, byte[] block, long begin, long end)
    {
        stream.Position = begin;
        Span<byte> part = block.AsSpan(0, (int)(end - begin));
        stream.ReadExactly(part);
        return XxHash3.HashToUInt64(part);
    }

    // Garnet has it open.
    static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
}
