using System.Net;
using System.Net.Sockets;
using Garnet.server;
using Garnet.server.Auth.Settings;
using Tsavorite.core;

namespace IgptCluster.Store;

/// <summary>How Garnet serves a folder.</summary>
internal static class GarnetSettings
{
    /// <summary>Bytes of each file of the append-only file.</summary>
    internal const int AppendOnlySegment = 8 << 20;

    /// <summary>Bytes of each of its pages.</summary>
    internal const int AppendOnlyPage = 4 << 20;

    /// <summary>Bytes of it that are in memory.</summary>
    internal const int AppendOnlyMemory = 16 << 20;

    /// <summary>Bytes of each file of the logs of records and of large values.</summary>
    internal const int LogSegment = 64 << 20;

    /// <summary>
    /// Sizes for session logs of kilobytes, not for a cache of gigabytes: records that memory has no room for are on the disk, none is dropped. <see cref="Checkpoints"/> keep the append-only file
    /// from growing for ever.
    /// </summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="port">Port on loopback beside the socket; null: none.</param>
    /// <param name="memory">Memory for records, MB.</param>
    /// <param name="path">The socket; null: the folder's.</param>
    internal static GarnetServerOptions For(StoreFolder folder, int? port, int memory, string? path = null)
    {
        var socket = new UnixDomainSocketEndPoint(path ?? folder.Socket);
        return new GarnetServerOptions
        {
            QuietMode = true,
            EndPoints = port is { } number ? [socket, new IPEndPoint(IPAddress.Loopback, number)] : [socket],
            UnixSocketPath = path ?? folder.Socket,
            UnixSocketPermission = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            AuthSettings = new PasswordAuthenticationSettings(folder.Password),
            EnableLua = true,
            LuaOptions = new LuaOptions(),
            DeviceType = DeviceType.RandomAccess,
            DeviceFactoryCreator = new StoreDevices(folder),
            Recover = true,
            FailOnRecoveryError = true,
            CheckpointDir = folder.Data,
            LogDir = folder.Log,
            EnableStorageTier = true,
            LogMemorySize = $"{memory}m",
            PageSize = "1m", // smaller ones stalled writes and broke recovery (Garnet 2.2.8, 8 and 16 KB)
            SegmentSize = $"{LogSegment}",
            ObjectLogSegmentSize = $"{LogSegment}",
            IndexMemorySize = "4m",
            IndexMaxMemorySize = "64m",
            BufferPoolMemoryBudget = "64m",
            CompactionType = LogCompactionType.None, // with Lookup, recovery faulted after some of the kills (Garnet 2.2.8)
            EnableAOF = true,
            WaitForCommit = true,
            AofMemorySize = $"{AppendOnlyMemory}",
            AofPageSize = $"{AppendOnlyPage}",
            AofSegmentSize = $"{AppendOnlySegment}",
            FullCheckpointLogInterval = 0, // each checkpoint has a hash table of its own, so that one damaged file harms one checkpoint
        };
    }
}
