namespace IgptCluster.Store.Integrity;

/// <summary>A log that lies in files of one size, the number of each after its name.</summary>
/// <param name="File">The files, relative to the store's folder, without their numbers.</param>
/// <param name="SegmentSize">Bytes of each but the last.</param>
internal readonly record struct SegmentedLog(string File, long SegmentSize)
{
    /// <summary>Sums a part of the log up.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="from">Where the part begins, bytes from the log's beginning.</param>
    /// <param name="until">Where it ends, exclusive.</param>
    /// <param name="known">Extents summed up before.</param>
    internal List<Extent> Measure(string folder, long from, long until, IReadOnlyDictionary<string, Extent>? known)
    {
        var extents = new List<Extent>();
        for (long begin = from; begin < until;)
        {
            long segment = begin / SegmentSize;
            long start = segment * SegmentSize;
            long end = Math.Min(until, start + SegmentSize);
            extents.Add(Extent.Measure(folder, $"{File}{segment}", begin - start, end - start, known));
            begin = end;
        }

        return extents;
    }

    /// <summary>Files of the log that are there, from an address on.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="from">Where the needed part begins.</param>
    /// <returns>The files, relative to the folder.</returns>
    internal IEnumerable<string> FilesFrom(string folder, long from)
    {
        for (long segment = from / SegmentSize; System.IO.File.Exists(Path.Combine(folder, $"{File}{segment}")); segment++)
        {
            yield return $"{File}{segment}";
        }
    }

    /// <summary>Whether files are missing or too short for a part of the log.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="from">Where the part begins, bytes from the log's beginning.</param>
    /// <param name="until">Where it ends, exclusive.</param>
    /// <returns>What is missing, in words; null: nothing.</returns>
    internal string? Lacks(string folder, long from, long until)
    {
        for (long begin = from; begin < until;)
        {
            long segment = begin / SegmentSize;
            long end = Math.Min(until, (segment + 1) * SegmentSize);
            if (new Extent($"{File}{segment}", 0, end - (segment * SegmentSize), []).CheckLength(folder) is { } problem)
            {
                return problem;
            }

            begin = end;
        }

        return null;
    }

    /// <summary>Where the needed part of an extent of this log begins.</summary>
    /// <param name="extent">The extent.</param>
    /// <param name="begin">Where the needed part of the log begins.</param>
    /// <returns>Null: the extent is another log's.</returns>
    internal long? BeginIn(Extent extent, long begin) =>
        extent.File.StartsWith(File, StringComparison.Ordinal) && long.TryParse(extent.File.AsSpan(File.Length), out long segment)
            ? begin - (segment * SegmentSize)
            : null;
}
