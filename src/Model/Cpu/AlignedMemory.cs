using System.Runtime.InteropServices;

namespace IgptCluster.Model.Cpu;

/// <summary>
/// Memory outside the managed heap, in huge pages where the system has them: what is read once per step would miss the table of small ones all the
/// time. Its creator disposes it. Any thread.
/// </summary>
internal sealed unsafe partial class AlignedMemory : IDisposable
{
    const int CacheLine = 64;
    const int HugePage = 2 << 20;
    const int AdviseHugePages = 14;
    const long ClearPiece = 32L << 20;
    const int Padding = TileKernel.Columns * sizeof(float); // of the end: rows are read and written by whole vectors

    /// <summary>Allocates.</summary>
    /// <param name="bytes">How much, at least 0.</param>
    /// <param name="isZeroed">Whether it is cleared; false where everything is written before it is read.</param>
    /// <exception cref="OutOfMemoryException">There is not so much.</exception>
    internal AlignedMemory(long bytes, bool isZeroed = true)
    {
        Length = bytes;
        long whole = (bytes + Padding) / Padding * Padding;
        bool isLarge = bytes >= 2 * HugePage;
        Start = (byte*)NativeMemory.AlignedAlloc((nuint)whole, isLarge ? (nuint)HugePage : CacheLine);
        if (isLarge && OperatingSystem.IsLinux())
            _ = Advise((nint)Start, (nuint)whole, AdviseHugePages); // in vain where they are switched off
        if (!isZeroed)
            return;
        nint start = (nint)Start;
        Parallel.For(0, (whole + ClearPiece - 1) / ClearPiece, piece =>
            NativeMemory.Clear((byte*)start + (piece * ClearPiece), (nuint)Math.Min(ClearPiece, whole - (piece * ClearPiece))));
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

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
