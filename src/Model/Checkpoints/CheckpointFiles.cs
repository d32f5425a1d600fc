using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>Files of a checkpoint folder: what is wrong with one is told by its name, as all faults of a checkpoint.</summary>
static class CheckpointFiles
{
    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is no regular file, or cannot be read.</exception>
    internal static UserFile Open(string path) => Named(path, () => UserFile.Open(path));

    /// <summary>Reads a whole file of text; null if there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that it may have.</param>
    /// <exception cref="CheckpointException">It is no regular file, is too large, or cannot be read.</exception>
    internal static string? ReadText(string path, int maxBytes) => UserFile.IsThere(path) ? Named(path, () => UserFile.ReadText(path, maxBytes)) : null;

    /// <summary>Reads a part of an open file into memory of its own.</summary>
    /// <param name="file">The file.</param>
    /// <param name="start">First byte.</param>
    /// <param name="length">How many.</param>
    /// <exception cref="CheckpointException">The file became shorter, or cannot be read.</exception>
    internal static byte[] ReadBytes(this UserFile file, long start, long length) => Named(file.Path, () =>
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(checked((int)length));
        file.Read(start, bytes);
        return bytes;
    });

    /// <summary>The first bytes, by which a file that is no checkpoint is told.</summary>
    internal static byte[] Beginning(this UserFile file) => file.ReadBytes(0, Math.Min(64, file.Length));

    /// <summary>The fault of a file as that of its checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="failure">What is wrong with it.</param>
    internal static CheckpointException Fault(string path, UserFileException failure) => new($"{Path.GetFileName(path)}: {failure.Rule}", failure);

    static T Named<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (UserFileException failure)
        {
            throw Fault(path, failure);
        }
    }
}
