using System.Buffers.Binary;
using Tsavorite.core;

namespace IgptCluster.Store.Integrity;

/// <summary>A commit of the append-only file, as its own files of commits say: not each commit has one.</summary>
/// <param name="Number">Grows from commit to commit.</param>
/// <param name="Begin">Where the append-only file begins.</param>
/// <param name="Until">Where what is committed ends.</param>
internal readonly record struct LogCommit(long Number, long Begin, long Until)
{
    /// <summary>The newest of a folder.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>Null: there is none that can be read.</returns>
    internal static LogCommit? Newest(StoreFolder folder) => Directory.Exists(folder.Commits)
        ? Directory.GetFiles(folder.Commits).Select(TryRead).Where(commit => commit is not null).MaxBy(commit => commit!.Value.Number)
        : null;

    /// <summary>
    /// Has the append-only file begin earlier, where files of it were put back. The commit reaches to the end of the file: the file itself has commits, which say that it begins later, and Garnet believes those
    /// that follow the one it reads first.
    /// </summary>
    /// <param name="folder">The store's folder, which no store serves.</param>
    /// <param name="begin">Where it is to begin.</param>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    internal static void MoveBegin(StoreFolder folder, long begin)
    {
        try
        {
            MoveBegin(folder, begin, Newest(folder)!.Value.Number + 1);
        }
        catch (TsavoriteException failure)
        {
            throw new IOException(failure.Message, failure);
        }
    }

    static void MoveBegin(StoreFolder folder, long begin, long number)
    {
        var devices = new LocalStorageNamedDeviceFactoryCreator(deviceType: DeviceType.RandomAccess);
        using var commits = new DeviceLogCommitCheckpointManager(devices, new DefaultCheckpointNamingScheme(Path.GetDirectoryName(folder.Commits)!), removeOutdated: false);
        long until;
        using (IDevice device = devices.Create(folder.Data).Get(new FileDescriptor("AOF", "aof.log")))
        using (var log = new TsavoriteLog(new TsavoriteLogSettings
        {
            LogDevice = device,
            LogCommitManager = commits,
            FastCommitMode = true,
            TryRecoverLatest = true,
            PageSize = GarnetSettings.AppendOnlyPage,
            MemorySize = GarnetSettings.AppendOnlyMemory,
            SegmentSize = GarnetSettings.AppendOnlySegment,
        }))
        {
            until = log.CommittedUntilAddress;
        }

        byte[] commit = new TsavoriteLogRecoveryInfo { BeginAddress = begin, UntilAddress = until, CommitNum = number }.ToByteArray();
        commits.Commit(begin, until, commit, number, forceWriteMetadata: true);
    }

    static LogCommit? TryRead(string file)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(file);
            var info = default(TsavoriteLogRecoveryInfo);
            info.Initialize(bytes.AsSpan(sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(bytes)));
            return new LogCommit(info.CommitNum, info.BeginAddress, info.UntilAddress);
        }
        catch (Exception unreadable) when (unreadable is IOException or TsavoriteException or ArgumentException)
        {
            return null;
        }
    }
}
