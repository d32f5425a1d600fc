using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>Where a weight's bytes come from: a file, or a storage that is held as a whole.</summary>
interface IWeightBytes
{
    /// <summary>File name, for messages.</summary>
    string File { get; }

    /// <summary>Whether several threads may read at once.</summary>
    bool IsShared { get; }

    /// <summary>Reads bytes from an offset that was checked to be inside.</summary>
    /// <exception cref="CheckpointException">The file became shorter, or cannot be read.</exception>
    void Read(long start, Span<byte> to);
}

/// <summary>
/// A stretch of a file, read and never mapped: a mapped file that becomes shorter, as by being copied over, ends the process (SIGBUS).
/// </summary>
sealed class FileBytes(UserFile file, long start) : IWeightBytes
{
    public string File => file.Name;

    public bool IsShared => true;

    public void Read(long offset, Span<byte> to)
    {
        try
        {
            file.Read(start + offset, to);
        }
        catch (UserFileException failure)
        {
            throw CheckpointFiles.Fault(file.Path, failure);
        }
    }
}
