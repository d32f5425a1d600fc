using System.Runtime.InteropServices;

namespace IgptCluster.Store;

/// <summary>A second name of a file: the file stays as long as one of its names does.</summary>
internal static partial class HardLink
{
    /// <summary>Gives a file a second name.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its new name; the name's folder is made if it is missing.</param>
    /// <exception cref="IOException">The file is not there, the name is taken, or the file system has no such links.</exception>
    internal static void Make(string file, string name)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(name)!);
        if (OperatingSystem.IsWindows() || Link(file, name) != 0)
        {
            throw new IOException($"its files can have no hard links: {(OperatingSystem.IsWindows() ? "not on this system" : Marshal.GetLastPInvokeErrorMessage())}");
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Link(string file, string name);
}
