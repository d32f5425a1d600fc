using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace IgptCluster.Store.Integrity;

/// <summary>
/// Up to where the append-only file has been written, in a small file that is written over after each write of that file, before the write is acknowledged, and never waited for. It outlives a killed process. It
/// counts until the machine is started again: after a loss of power neither this nor the end of the append-only file need be on the disk. Any thread.
/// </summary>
internal sealed class LogLength : IDisposable
{
    const int NumberBytes = sizeof(long) + sizeof(ulong);
    const string BootFile = "/proc/sys/kernel/random/boot_id";

    readonly Lock _lock = new();
    readonly SafeFileHandle _file;
    long _reached;

    LogLength(SafeFileHandle file, long reached) => (_file, _reached) = (file, reached);

    /// <summary>Goes on with a folder's file, or makes it.</summary>
    /// <param name="folder">The store's folder.</param>
    internal static LogLength Open(StoreFolder folder)
    {
        long reached = Read(folder);
        byte[] content = [.. BytesOf(reached), .. Encoding.ASCII.GetBytes(Boot() ?? "")];
        string written = folder.LogLength + ".new";
        File.WriteAllBytes(written, content);
        File.Move(written, folder.LogLength, overwrite: true);
        return new LogLength(File.OpenHandle(folder.LogLength, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete), reached);
    }

    /// <summary>Reads a folder's file.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>Up to where the append-only file has been written at least; 0: nothing is known.</returns>
    internal static long Read(StoreFolder folder)
    {
        byte[] content = File.Exists(folder.LogLength) ? File.ReadAllBytes(folder.LogLength) : [];
        if (content.Length <= NumberBytes || Encoding.ASCII.GetString(content.AsSpan(NumberBytes)) != Boot())
        {
            return 0;
        }

        long until = BinaryPrimitives.ReadInt64LittleEndian(content);
        return content.AsSpan(0, NumberBytes).SequenceEqual(BytesOf(until)) ? until : 0;
    }

    /// <summary>Notes that more is written.</summary>
    /// <param name="until">Up to where.</param>
    /// <exception cref="IOException">It cannot be noted.</exception>
    internal void Reach(long until)
    {
        lock (_lock)
        {
            if (until > _reached)
            {
                _reached = until;
                RandomAccess.Write(_file, BytesOf(until), 0);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // With a checksum.
    static byte[] BytesOf(long until)
    {
        byte[] bytes = new byte[NumberBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, until);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(sizeof(long)), XxHash3.HashToUInt64(bytes.AsSpan(0, sizeof(long))));
        return bytes;
    }

    static string? Boot() => File.Exists(BootFile) ? File.ReadAllText(BootFile) : null;
}
