using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>The storage of a file that was read last, as a whole: the pieces of one tensor come one after the other, and so do the tensors of one storage.</summary>
sealed class LatestStorage
{
    (string Key, byte[] Bytes) _latest = ("", []);

    /// <summary>A storage's bytes.</summary>
    /// <param name="key">Its key in the file.</param>
    /// <param name="read">Reads all of it.</param>
    internal ReadOnlySpan<byte> Get(string key, Func<byte[]> read)
    {
        if (_latest.Key != key)
        {
            _latest = ("", []); // never two of them in memory
            _latest = (key, read());
        }

        return _latest.Bytes;
    }
}

/// <summary>A storage that is read as a whole: one that is compressed, or that views go through in another order than it lies in.</summary>
/// <param name="latest">Shared by all storages of the file.</param>
/// <param name="file">File name, for messages.</param>
/// <param name="key">The storage's key in the file.</param>
/// <param name="read">Reads all of it.</param>
sealed class WholeStorage(LatestStorage latest, string file, string key, Func<byte[]> read) : IWeightBytes
{
    public string File => file;

    public bool IsShared => false;

    public void Read(long start, Span<byte> to)
    {
        try
        {
            latest.Get(key, read).Slice(checked((int)start), to.Length).CopyTo(to);
        }
        catch (UserFileException failure)
        {
            throw CheckpointFiles.Fault(file, failure);
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException)
        {
            throw new CheckpointException($"{file}: storage '{key}' cannot be read: {failure.Message}", failure);
        }
    }
}
