using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace IgptCluster.Store.Integrity;

/// <summary>
/// Hash tables of checkpoints, in folders of their own: not each checkpoint writes one, and Garnet keeps two. Which it takes depends on the folders' times; it removes the other. So there is only one when it starts.
/// </summary>
internal static class CheckpointIndex
{
    const int FinalAddressLine = 8; // of its info.dat

    /// <summary>The folder of the hash table that a checkpoint needs: its own, else the last before.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <returns>Null: there is none.</returns>
    internal static string? Needed(StoreFolder folder, CheckpointInfo checkpoint) => Directory.Exists(folder.Indexes)
        ? Directory.GetDirectories(folder.Indexes).Select(path => (Path: path, End: FinalAddress(path)))
            .Where(index => index.End >= 0 && index.End <= checkpoint.LogEnd) // one beyond was written for a checkpoint that was never completed
            .OrderByDescending(index => index.End).ThenByDescending(index => Directory.GetLastWriteTimeUtc(index.Path)).FirstOrDefault().Path
        : null;

    /// <summary>Removes those that the newest checkpoint does not need.</summary>
    /// <param name="folder">The store's folder, which no store serves.</param>
    internal static void RemoveOthers(StoreFolder folder)
    {
        if (CheckpointInfo.Newest(folder) is { } newest && Needed(folder, newest) is { } needed)
        {
            foreach (string other in Directory.GetDirectories(folder.Indexes).Where(path => path != needed))
            {
                Directory.Delete(other, recursive: true);
            }
        }
    }

    static long FinalAddress(string path)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(path, "info.dat.0"));
            string[] lines = Encoding.UTF8.GetString(bytes, sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(bytes)).Split('\n');
            return long.Parse(lines[FinalAddressLine], CultureInfo.InvariantCulture);
        }
        catch (Exception unreadable) when (unreadable is IOException or FormatException or ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            return -1;
        }
    }
}
