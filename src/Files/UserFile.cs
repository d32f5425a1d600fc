using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;

namespace IgptCluster.Files;

/// <summary>
/// A file that a user named, opened for reading: a regular file within a size limit, never a pipe, a device or a Git LFS pointer. Opening does not wait (for
/// the writer of a pipe), reading ends at the length that the opened file had, and links count as the file that they lead to. Any thread may read.
/// </summary>
public sealed class UserFile : IDisposable
{
    const int LongestPointer = 1024;

    readonly SafeFileHandle _handle;
    readonly DateTime _written;

    UserFile(string path, SafeFileHandle handle)
    {
        (Path, _handle) = (path, handle);
        (Length, _written) = (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
    }

    /// <summary>Where it lies, as the user named it.</summary>
    public string Path { get; }

    /// <summary>Its name without the folder, for messages.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Bytes that it had when it was opened.</summary>
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that it may have.</param>
    /// <exception cref="UserFileException">There is none, it is no regular file, it is too large, it is a Git LFS pointer, or it may not be read.</exception>
    public static UserFile Open(string path, long maxBytes = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(path);
        SafeFileHandle handle = RegularFile.Open(path);
        try
        {
            var file = new UserFile(path, handle);
            file.RequireAtMost(maxBytes);
            file.RequireNoPointer();
            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Whether something lies at a path, of whatever kind, even a link that leads nowhere: <see cref="Open"/> tells what is wrong with it.</summary>
    /// <param name="path">The path.</param>
    public static bool IsThere([NotNullWhen(true)] string? path) => File.Exists(path) || Directory.Exists(path);

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that it may have.</param>
    /// <exception cref="UserFileException">As <see cref="Open"/>; or it changed while it was read.</exception>
    public static byte[] ReadBytes(string path, int maxBytes)
    {
        using UserFile file = Open(path, Math.Min(maxBytes, Array.MaxLength));
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)file.Length);
        file.Read(0, bytes);
        file.RequireUnchanged();
        return bytes;
    }

    /// <summary>Reads a whole file of text: UTF-8 unless it begins with the byte order mark of another encoding.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that it may have.</param>
    /// <exception cref="UserFileException">As <see cref="ReadBytes"/>.</exception>
    public static string ReadText(string path, int maxBytes)
    {
        using var reader = new StreamReader(new MemoryStream(ReadBytes(path, maxBytes)));
        return reader.ReadToEnd();
    }

    /// <summary>Reads a part.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="to">As many bytes as are wanted.</param>
    /// <exception cref="UserFileException">The file has become shorter since it was opened, or cannot be read.</exception>
    public void Read(long start, Span<byte> to)
    {
        try
        {
            while (!to.IsEmpty)
            {
                int count = RandomAccess.Read(_handle, to, start);
                if (count == 0)
                {
                    throw Changed();
                }

                start += count;
                to = to[count..];
            }
        }
        catch (Exception failure) when (failure is not UserFileException and (IOException or UnauthorizedAccessException))
        {
            throw new UserFileException(Path, $"cannot be read: {failure.Message}", failure);
        }
    }

    /// <summary>A stream over the file that ends at <see cref="Length"/>; valid as long as the file is open. One thread.</summary>
    public Stream OpenStream() => new UserFileStream(this);

    /// <summary>Refuses what was read if the file was written to meanwhile. A file that another took the place of, as a download does, stays as it was opened.</summary>
    /// <exception cref="UserFileException">Its length or the time of its last change is not what it was when it was opened.</exception>
    public void RequireUnchanged()
    {
        if (RandomAccess.GetLength(_handle) != Length || File.GetLastWriteTimeUtc(_handle) != _written)
        {
            throw Changed();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    UserFileException Changed() => new(Path, "must not be written to while it is read: it changed; read it again when it is complete", null);

    void RequireAtMost(long maxBytes)
    {
        if (Length > maxBytes)
        {
            throw new UserFileException(Path, $"must have at most {maxBytes:N0} bytes; given {Length:N0}", null);
        }
    }

    void RequireNoPointer()
    {
        if (Length is 0 or > LongestPointer)
        {
            return;
        }

        ReadOnlySpan<byte> sign = "version https://git-lfs"u8;
        Span<byte> start = stackalloc byte[(int)Math.Min(Length, sign.Length)];
        Read(0, start);
        if (start.SequenceEqual(sign))
        {
            throw new UserFileException(Path, "is a Git LFS pointer, not the file itself; fetch that with 'git lfs pull'", null);
        }
    }
}
