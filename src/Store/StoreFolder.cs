using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using IgptCluster.Store.Integrity;

namespace IgptCluster.Store;

/// <summary>
/// A store's folder: its data, its password, the folder of its socket, and a file that tells where the store listens; <c>EmbeddedStore</c> in Hosting reads those. Held by one process at a time.
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    const string LockFile = "lock";
    const string PasswordFile = "password";
    const string AddressFile = "address.json";
    const int PasswordBytes = 24;
    const int MaxSocketBytes = 107; // sun_path
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const UnixFileMode OwnerFolder = OwnerOnly | UnixFileMode.UserExecute;

    readonly string _path;
    readonly FileStream _lock;

    StoreFolder(string path, FileStream locked)
    {
        (_path, _lock) = (path, locked);
        Password = ReadOrMakePassword(Path.Combine(path, PasswordFile));
    }

    /// <summary>The append-only file's files.</summary>
    internal static SegmentedLog AppendOnly { get; } = new("data/AOF/aof.log.", GarnetSettings.AppendOnlySegment);

    /// <summary>The record log's files.</summary>
    internal static SegmentedLog Records { get; } = new("log/Store/hlog.", GarnetSettings.LogSegment);

    /// <summary>The files of values that are no part of a record.</summary>
    internal static SegmentedLog Objects { get; } = new("log/Store/hlog_objs.", GarnetSettings.LogSegment);

    /// <summary>All that is of the data, and not of the folder's use.</summary>
    internal static IReadOnlyList<string> DataNames { get; } = ["data", "log", "kept", "manifest", "acknowledged", "log-length", "rewritten"];

    /// <summary>The folder itself.</summary>
    internal string Root => _path;

    /// <summary>Checkpoints and the append-only file.</summary>
    internal string Data => Path.Combine(_path, "data");

    /// <summary>Records that memory has no room for.</summary>
    internal string Log => Path.Combine(_path, "log");

    /// <summary>A folder for each checkpoint, under its token.</summary>
    internal string Checkpoints => Path.Combine(Data, "Store", "checkpoints", "cpr-checkpoints");

    /// <summary>Likewise for the hash tables that checkpoints need.</summary>
    internal string Indexes => Path.Combine(Data, "Store", "checkpoints", "index-checkpoints");

    /// <summary>The append-only file's commits.</summary>
    internal string Commits => Path.Combine(Data, "AOF", "log-commits");

    /// <summary>Checksums of the last checkpoint (<see cref="CheckpointManifest"/>).</summary>
    internal string Manifest => Path.Combine(_path, "manifest");

    /// <summary>What was acknowledged last (<see cref="Integrity.Acknowledged"/>).</summary>
    internal string Acknowledged => Path.Combine(_path, "acknowledged");

    /// <summary>Up to where the append-only file has been written (<see cref="Integrity.LogLength"/>).</summary>
    internal string LogLength => Path.Combine(_path, "log-length");

    /// <summary>The checkpoint before the last one (<see cref="KeptCheckpoint"/>), in a folder that is named for its version.</summary>
    internal string Kept => Path.Combine(_path, "kept");

    /// <summary>What the data took when it was last written anew (<see cref="RewriteNote"/>).</summary>
    internal string Note => Path.Combine(_path, "rewritten");

    /// <summary>There while the data is to be written anew at the next start.</summary>
    internal string Wanted => Path.Combine(_path, "rewrite");

    /// <summary>Touched while the store gets ready, so that whoever waits for it knows that it does; <c>EmbeddedStore</c> in Hosting reads it.</summary>
    internal string Starting => Path.Combine(_path, "starting");

    /// <summary>The Unix socket, in a folder that only its user can enter.</summary>
    internal string Socket => Path.Combine(_path, "run", "store.sock");

    /// <summary>Made at the folder's first use; only the folder's owner can read it.</summary>
    internal string Password { get; }

    /// <summary>Names this start of the store: a client compares it with what <c>address.json</c> says.</summary>
    internal string Nonce { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Takes a folder.</summary>
    /// <param name="path">The folder; made if it is missing.</param>
    /// <returns>Null if another process has it.</returns>
    /// <exception cref="IOException">The folder cannot be made or written, or its path is too long for a socket.</exception>
    internal static StoreFolder? TryOpen(string path)
    {
        string full = Path.GetFullPath(path);
        int bytes = Encoding.UTF8.GetByteCount(Path.Combine(full, "run", "store.sock"));
        if (bytes > MaxSocketBytes)
        {
            throw new IOException($"the path of its socket has {bytes} bytes, and a Unix socket's has {MaxSocketBytes} at most: name a data folder with a shorter path");
        }

        Directory.CreateDirectory(full);
        FileStream locked;
        try
        {
            locked = new FileStream(Path.Combine(full, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure.GetType() == typeof(IOException) && File.Exists(Path.Combine(full, LockFile)))
        {
            return null;
        }

        try
        {
            var folder = new StoreFolder(full, locked);
            folder.MakeFolders();
            return folder;
        }
        catch
        {
            locked.Dispose();
            throw;
        }
    }

    /// <summary>Moves the data to a folder of its own within this one, so that the store starts empty. Deletes nothing.</summary>
    /// <returns>Where the data is now; null: there was none.</returns>
    internal string? SetAside()
    {
        string[] old = [.. DataNames.Select(name => Path.Combine(_path, name)).Where(Path.Exists)];
        if (old.Length == 0)
        {
            return null;
        }

        string aside = MakeAside();
        foreach (string path in old)
        {
            Directory.Move(path, Path.Combine(aside, Path.GetFileName(path)));
        }

        MakeFolders();
        return aside;
    }

    /// <summary>Makes a folder within this one for files that are damaged, or not wanted any more.</summary>
    /// <returns>The folder.</returns>
    internal string MakeAside() => Directory.CreateDirectory(Path.Combine(_path, $"set-aside-{DateTime.UtcNow:yyyyMMdd-HHmmss-fff}")).FullName;

    /// <summary>Removes the socket that a killed store has left: the lock tells that no store listens on it.</summary>
    internal void ClearSocket() => File.Delete(Socket);

    /// <summary>Tells where this process listens. A process that dies leaves the file: who reads it tries the socket.</summary>
    /// <param name="port">Port on loopback; null: the socket alone.</param>
    internal void Announce(int? port) => Replace(
        Path.Combine(_path, AddressFile), JsonSerializer.Serialize(new { process = Environment.ProcessId, socket = Socket, nonce = Nonce, port }));

    /// <summary>Writes a file that only its owner can read, whole or not at all; it is on the disk when this returns.</summary>
    /// <param name="file">The file.</param>
    /// <param name="text">What it holds.</param>
    internal static void Replace(string file, string text)
    {
        string written = file + ".new";
        File.Delete(written); // one that another umask left
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        using (var stream = new FileStream(written, options))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(written, file, overwrite: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        File.Delete(Path.Combine(_path, AddressFile));
        _lock.Dispose();
    }

    // What sessions hold is nobody else's; the folder around them may be the user's own, and stays as it is.
    void MakeFolders()
    {
        foreach (string folder in new[] { Data, Log, Kept, Path.GetDirectoryName(Socket)! })
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
            }
            else
            {
                Directory.CreateDirectory(folder, OwnerFolder);
                File.SetUnixFileMode(folder, OwnerFolder); // one that was there, or that the umask narrowed
            }
        }
    }

    static string ReadOrMakePassword(string file)
    {
        if (!File.Exists(file) || new FileInfo(file).Length == 0)
        {
            Replace(file, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(PasswordBytes)));
        }

        return File.ReadAllText(file).Trim();
    }
}
