using System.Buffers.Binary;
using Tsavorite.core;

namespace IgptCluster.Store.Integrity;

/// <summary>What a checkpoint's <c>info.dat</c> says of the files that the checkpoint needs.</summary>
/// <param name="Token">Names the checkpoint, and its folder.</param>
/// <param name="Version">Grows from checkpoint to checkpoint.</param>
/// <param name="LogBegin">Where the record log begins.</param>
/// <param name="LogUntil">Up to here the record log does not change any more, and is needed; what follows is in the checkpoint's snapshot.</param>
/// <param name="ObjectsBegin">Where the log of large values begins.</param>
/// <param name="ObjectsUntil">Likewise of that log.</param>
/// <param name="LogEnd">Where the record log ended.</param>
/// <param name="AppendOnlyBegin">From here on the append-only file is needed.</param>
internal sealed record CheckpointInfo(Guid Token, long Version, long LogBegin, long LogUntil, long ObjectsBegin, long ObjectsUntil, long LogEnd, long AppendOnlyBegin)
{
    // Of its lines, those that Tsavorite does not tell: format 7.
    const int BeginSegmentLine = 13;
    const int ObjectTailLine = 17;

    /// <summary>The newest checkpoint of a folder that is whole.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>Null: there is none.</returns>
    internal static CheckpointInfo? Newest(StoreFolder folder) => Directory.Exists(folder.Checkpoints)
        ? Directory.GetDirectories(folder.Checkpoints).Select(path => TryRead(Path.Combine(path, "info.dat.0"))).Where(info => info is not null).MaxBy(info => info!.Version)
        : null;

    static CheckpointInfo? TryRead(string file)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(file);
            byte[] text = bytes[sizeof(int)..(sizeof(int) + BinaryPrimitives.ReadInt32LittleEndian(bytes))];
            var info = default(HybridLogRecoveryInfo);
            using (var reader = new StreamReader(new MemoryStream(text)))
            {
                info.Initialize(reader); // throws if its checksum is wrong
            }

            string[] lines = System.Text.Encoding.UTF8.GetString(text).Split('\n');
            long segment = long.Parse(lines[BeginSegmentLine], System.Globalization.CultureInfo.InvariantCulture);
            int bits = int.Parse(lines[ObjectTailLine - 1], System.Globalization.CultureInfo.InvariantCulture);
            ulong tail = ulong.Parse(lines[ObjectTailLine], System.Globalization.CultureInfo.InvariantCulture);
            long objects = tail == ulong.MaxValue ? 0 : (long)(tail & ((1UL << 60) - 1)); // the highest bits are flags
            return new CheckpointInfo(
                info.guid,
                info.version,
                info.beginAddress,
                Math.Min(info.startLogicalAddress, Math.Min(info.flushedLogicalAddress, info.snapshotStartFlushedLogicalAddress)),
                segment << bits,
                objects,
                info.finalLogicalAddress,
                info.cookie is { Length: >= 12 } cookie ? BinaryPrimitives.ReadInt64LittleEndian(cookie.AsSpan(sizeof(int))) : 0);
        }
        catch (Exception unreadable) when (unreadable is IOException or TsavoriteException or FormatException or ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            return null;
        }
    }
}
