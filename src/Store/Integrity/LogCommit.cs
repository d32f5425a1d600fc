using System.Buffers.Binary;
using Tsavorite.core;

namespace IgptCluster.Store.Integrity;

/// <summary>Where the append-only file begins, as its own file of commits says.</summary>
internal static class LogCommit
{
    /// <summary>Where it begins.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>Null: there is no commit that can be read.</returns>
    internal static long? BeginOf(StoreFolder folder) => Directory.Exists(folder.Commits)
        ? Directory.GetFiles(folder.Commits).Select(TryRead).Where(commit => commit is not null).MaxBy(commit => commit!.Value.CommitNum)?.BeginAddress
        : null;

    static TsavoriteLogRecoveryInfo? TryRead(string file)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(file);
            var info = default(TsavoriteLogRecoveryInfo);
            info.Initialize(bytes.AsSpan(sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(bytes)));
            return info;
        }
        catch (Exception unreadable) when (unreadable is IOException or TsavoriteException or ArgumentException)
        {
            return null;
        }
    }
}
