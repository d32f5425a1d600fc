namespace IgptCluster.Store;

/// <summary>
/// How much room a store has: what its folder may take, or what the disk has if that is less. Before that is used up new records are refused, then every write: the rest is what a checkpoint,
/// compaction and the writes under way need. Deleting goes on.
/// </summary>
/// <param name="Used">What the data takes, bytes.</param>
/// <param name="Bound">What it may take, bytes.</param>
/// <param name="Rule">The bound in words, with its cure.</param>
/// <param name="Kept">What the checkpoint before the last one takes beside it, bytes: it is given up before anything is refused.</param>
internal readonly record struct Room(long Used, long Bound, string Rule, long Kept)
{
    const long MinReserve = 64L << 20;
    const long MaxReserve = 1L << 30;
    const long Megabyte = 1 << 20;

    /// <summary>Bytes that new records leave free.</summary>
    internal long Reserve => Math.Clamp(Bound / 10, MinReserve, MaxReserve);

    /// <summary>Whether new records are refused.</summary>
    internal bool IsLow => Used > Bound - Reserve;

    /// <summary>Whether there is none for the checkpoint before the last one.</summary>
    internal bool IsTight => Used + Kept > Bound - Reserve;

    /// <summary>What the clients are told (<c>StoreRoom</c> in Hosting reads it).</summary>
    internal string Words => !IsLow ? "" : (Used > Bound - (Reserve / 2) ? "all:" : "new:") +
        $"the store's data takes {Used / Megabyte} MB, {Rule}, and keeps {Reserve / Megabyte} MB of that free: delete sessions or heads, or give it more room";

    /// <summary>Looks at a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="max">Disk that it may take, bytes.</param>
    internal static Room Of(StoreFolder folder, long max)
    {
        long used = FilesOf(folder.Data).Concat(FilesOf(folder.Log)).Sum(LengthOf);
        long kept = FilesOf(folder.Kept).Where(file => !IsInUse(folder, file)).Sum(LengthOf);
        long disk = used + kept + new DriveInfo(folder.Root).AvailableFreeSpace;
        return disk < max
            ? new Room(used, disk, $"the disk has room for {disk / Megabyte} MB of it", kept)
            : new Room(used, max, $"may take {max / Megabyte} MB (Igpt:Store:MaxDisk)", kept);
    }

    static IEnumerable<FileInfo> FilesOf(string path) => new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories);

    // Files of the checkpoint that is kept may have another name still, which the store uses.
    static bool IsInUse(StoreFolder folder, FileInfo kept) => File.Exists(Path.Combine(folder.Root, Path.GetRelativePath(folder.Kept, kept.FullName).Split(Path.DirectorySeparatorChar, 2)[^1]));

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
