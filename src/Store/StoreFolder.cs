using System.Security.Cryptography;
using System.Text.Json;

namespace IgptCluster.Store;

/// <summary>
/// A store's folder: its data, its password, and a file that tells where the store that serves it listens; <c>EmbeddedStore</c> in Hosting reads those two.
/// Held by one process at a time.
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    const string LockFile = "lock";
    const string PasswordFile = "password";
    const string AddressFile = "address.json";
    const int PasswordBytes = 24;

    readonly string _path;
    readonly FileStream _lock;

    StoreFolder(string path, FileStream locked)
    {
        (_path, _lock) = (path, locked);
        Data = Path.Combine(path, "data");
        MakePrivate(Data);
        Password = ReadOrMakePassword(Path.Combine(path, PasswordFile));
    }

    /// <summary>Where the store keeps its files.</summary>
    internal string Data { get; }

    /// <summary>Made at the folder's first use; only the folder's owner can read it.</summary>
    internal string Password { get; }

    /// <summary>Takes a folder.</summary>
    /// <param name="path">The folder; made if it is missing.</param>
    /// <returns>Null if another process has it.</returns>
    /// <exception cref="IOException">The folder cannot be made or written.</exception>
    internal static StoreFolder? TryOpen(string path)
    {
        string full = Path.GetFullPath(path);
        Directory.CreateDirectory(full);
        try
        {
            return new StoreFolder(full, new FileStream(Path.Combine(full, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException) when (File.Exists(Path.Combine(full, LockFile)))
        {
            return null;
        }
    }

    /// <summary>Tells where this process listens. A process that dies leaves the file: who reads it tries the address.</summary>
    /// <param name="port">Port on loopback.</param>
    internal void Announce(int port)
    {
        string file = Path.Combine(_path, AddressFile);
        string written = file + ".new";
        File.WriteAllText(written, JsonSerializer.Serialize(new { port, process = Environment.ProcessId }));
        File.Move(written, file, overwrite: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        File.Delete(Path.Combine(_path, AddressFile));
        _lock.Dispose();
    }

    // What sessions hold is nobody else's; the folder around it may be the user's own, and stays as it is.
    static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    static string ReadOrMakePassword(string file)
    {
        if (File.Exists(file))
        {
            return File.ReadAllText(file).Trim();
        }

        string password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(PasswordBytes));
        string written = file + ".new";
        File.WriteAllText(written, password);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(written, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        File.Move(written, file);
        return password;
    }
}
