namespace IgptCluster.Store;

/// <summary>
/// How much room a store has: what its folder may take, or what the disk has if that is less. Before that is used up new records are refused, then every write: the rest is what a checkpoint,
/// compaction and the writes under way need. Deleting goes on.
/// </summary>
/// <param name="Used">What the data takes, bytes.</param>
/// <param name="Bound">What it may take, bytes.</param>
/// <param name="Rule">The bound in words, with its cure.</param>
internal readonly record struct Room(long Used, long Bound, string Rule)
{
    const long MinReserve = 64L << 20;
    const long MaxReserve = 1L << 30;
    const long Megabyte = 1 << 20;

    /// <summary>Bytes that new records leave free.</summary>
    internal long Reserve => Math.Clamp(Bound / 10, MinReserve, MaxReserve);

    /// <summary>Whether new records are refused.</summary>
    internal bool IsLow => Used > Bound - Reserve;

    /// <summary>What the clients are told (<c>StoreRoom</c> in Hosting reads it).</summary>
    internal string Words => !IsLow ? "" : (Used > Bound - (Reserve / 2) ? "all:" : "new:") +
        $"the store's data takes {Used / Megabyte} MB, {Rule}, and keeps {Reserve / Megabyte} MB of that free: delete sessions or heads, or give it more room";

    /// <summary>Looks at a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="max">Disk that it may take, bytes.</param>
    internal static Room Of(StoreFolder folder, long max)
    {
        long used = new[] { folder.Data, folder.Log }.Sum(path => new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(LengthOf));
        long disk = used + new DriveInfo(folder.Root).AvailableFreeSpace;
        return disk < max
            ? new Room(used, disk, $"the disk has room for {disk / Megabyte} MB of it")
            : new Room(used, max, $"may take {max / Megabyte} MB (Igpt:Store:MaxDisk)");
    }

    // It may be gone: checkpoints remove files.
    static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }
}
