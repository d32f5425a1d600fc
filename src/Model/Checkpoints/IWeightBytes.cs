namespace IgptCluster.Model;

/// <summary>Where a weight's bytes come from: a mapped file, or an entry of an archive.</summary>
interface IWeightBytes
{
    /// <summary>File name, for messages.</summary>
    string File { get; }

    /// <summary>Whether several threads may read at once, and what was read stays valid.</summary>
    bool IsShared { get; }

    /// <summary>Bytes from an offset that was checked to be inside; valid until the next call.</summary>
    ReadOnlySpan<byte> Read(long start, int length);
}

/// <summary>A stretch of a mapped file.</summary>
sealed class MappedBytes(MappedFile file, long start) : IWeightBytes
{
    public string File => file.Name;

    public bool IsShared => true;

    public ReadOnlySpan<byte> Read(long offset, int length) => file.Span(start + offset, length);
}
