using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace IgptCluster.Files;

/// <summary>
/// Opens regular files and nothing else. .NET's own <see cref="File.OpenHandle"/> waits for the writer of a pipe, and does not tell of which kind a file is.
/// Under other systems than Linux it is used nevertheless.
/// </summary>
static unsafe partial class RegularFile
{
    // fcntl.h and linux/stat.h; the same on x64 and arm64.
    const int ReadOnly = 0;
    const int DoNotWait = 0x800; // O_NONBLOCK; means nothing to regular files
    const int NoTerminal = 0x100; // O_NOCTTY
    const int CloseOnExec = 0x80000;
    const int EmptyPath = 0x1000;
    const uint KindWanted = 1;
    const int StatBytes = 256;
    const int ModeOffset = 28;
    const int KindMask = 0xF000;
    const int Pipe = 0x1000;
    const int Regular = 0x8000;

    // errno.h.
    const int NoEntry = 2;
    const int Interrupted = 4;
    const int NoDevice = 6; // nothing answers behind a socket or a device

    /// <summary>Opens a file for reading, without waiting.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="UserFileException">There is none, it is no regular file, or it may not be read.</exception>
    internal static SafeFileHandle Open(string path)
    {
        try
        {
            return OperatingSystem.IsLinux() ? OpenOnLinux(path) : File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception failure) when (failure is not UserFileException and (IOException or UnauthorizedAccessException or Win32Exception))
        {
            throw new UserFileException(path, Reason(path, failure), failure);
        }
    }

    static SafeFileHandle OpenOnLinux(string path)
    {
        int descriptor;
        do
        {
            descriptor = OpenFile(path, ReadOnly | DoNotWait | NoTerminal | CloseOnExec);
        }
        while (descriptor < 0 && Marshal.GetLastPInvokeError() == Interrupted);
        if (descriptor < 0)
        {
            throw new Win32Exception();
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        byte* stat = stackalloc byte[StatBytes];
        if (Stat(descriptor, "", EmptyPath, KindWanted, stat) < 0)
        {
            var failure = new Win32Exception();
            handle.Dispose();
            throw failure;
        }

        int kind = *(ushort*)(stat + ModeOffset) & KindMask;
        if (kind != Regular)
        {
            handle.Dispose();
            throw new UserFileException(path, $"must be a regular file; it is {NameOf(kind)}", null) { IsPipe = kind == Pipe };
        }

        return handle;
    }

    static string Reason(string path, Exception failure) => failure switch
    {
        FileNotFoundException or DirectoryNotFoundException or Win32Exception { NativeErrorCode: NoEntry } => new FileInfo(path).LinkTarget is { } target
            ? $"is a link to '{target}', which is not there; download it again"
            : "there is no such file",
        Win32Exception { NativeErrorCode: NoDevice } => "must be a regular file; it is a socket or a device",
        _ => $"cannot be opened: {failure.Message}",
    };

    static string NameOf(int kind) => kind switch
    {
        Pipe => "a pipe (FIFO)",
        0x2000 or 0x6000 => "a device",
        0x4000 => "a folder",
        0xC000 => "a socket",
        _ => $"of the unknown kind 0x{kind:X}",
    };

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(int descriptor, string path, int flags, uint mask, byte* stat);
}
