using System.IO.MemoryMappedFiles;

namespace IgptCluster.Model;

/// <summary>A file as read-only memory, mapped and not copied. Any thread may read; disposing it invalidates all spans.</summary>
sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedFile? _map;
    readonly byte* _start;
    MemoryMappedViewAccessor? _view; // null once it is disposed, and of an empty file

    internal MappedFile(string path)
    {
        Path = path;
        Length = new FileInfo(path).Length;
        if (Length == 0)
        {
            return;
        }

        _map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, capacity: 0, MemoryMappedFileAccess.Read);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    internal string Path { get; }

    internal string Name => System.IO.Path.GetFileName(Path);

    internal long Length { get; }

    /// <summary>Part of the file.</summary>
    internal ReadOnlySpan<byte> Span(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Length - length);
        return length == 0 ? [] : new ReadOnlySpan<byte>(_start + start, length);
    }

    public void Dispose()
    {
        if (_view is { } view)
        {
            _view = null;
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            _map!.Dispose();
        }
    }
}
