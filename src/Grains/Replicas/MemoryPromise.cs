namespace IgptCluster.Grains.Replicas;

/// <summary>Memory that an engine is about to allocate; disposed when it is allocated, or will not be. Any thread.</summary>
public sealed class MemoryPromise : IDisposable
{
    Action<long>? _takeBack;

    internal MemoryPromise(EngineMemory memory, Action<long> takeBack) => (Memory, _takeBack) = (memory, takeBack);

    /// <summary>What was promised.</summary>
    public EngineMemory Memory { get; }

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _takeBack, null)?.Invoke(Memory.Bytes);
}
