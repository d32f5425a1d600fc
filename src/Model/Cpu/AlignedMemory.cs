using System.Runtime.InteropServices;

namespace IgptCluster.Model;

/// <summary>Zeroed memory outside the managed heap, aligned to cache lines. Its creator disposes it. Any thread.</summary>
internal sealed unsafe class AlignedMemory : IDisposable
{
    const int Alignment = 64;
    const int Padding = TileKernel.Columns * sizeof(float); // of the end: rows are read and written by whole vectors

    /// <summary>Allocates.</summary>
    /// <param name="bytes">How much, at least 0.</param>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    internal AlignedMemory(long bytes)
    {
        Length = bytes;
        nuint whole = ((nuint)bytes + Padding) / Padding * Padding;
        Start = (byte*)NativeMemory.AlignedAlloc(whole, Alignment);
        NativeMemory.Clear(Start, whole);
    }

    internal byte* Start { get; private set; }

    internal long Length { get; }

    internal float* Floats => (float*)Start;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(Start);
        Start = null;
    }
}
