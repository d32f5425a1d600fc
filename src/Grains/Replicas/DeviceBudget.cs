using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>
/// What a device still has for engines: its free memory without a reserve and without what was promised to engines that have not allocated it yet. Any thread.
/// </summary>
/// <param name="device">The device's name.</param>
/// <param name="mostEngines">Most engines at a time, at least 1: each has threads and a turn of its own.</param>
/// <param name="memory">The device's memory in bytes, what is free now and all of it.</param>
public sealed class DeviceBudget(string device, int mostEngines, Func<(long Free, long Total)> memory)
{
    const int ReserveShare = 20; // a twentieth of the memory
    const double MiB = 1 << 20;

    readonly Lock _lock = new();
    long _promised; // to engines that load
    int _engines;

    /// <summary>The device's name.</summary>
    public string Device { get; } = device;

    /// <summary>Engines on the device, those that are being started included.</summary>
    public int Engines => Volatile.Read(ref _engines);

    /// <summary>An engine is started, or is being started. It counts until it is told otherwise.</summary>
    public void Enter() => Interlocked.Increment(ref _engines);

    /// <summary>An engine has ended.</summary>
    public void Leave() => Interlocked.Decrement(ref _engines);

    /// <summary>How many more engines of a size fit.</summary>
    /// <param name="need">What one takes.</param>
    public SiloRoom Room(EngineMemory need)
    {
        lock (_lock)
        {
            long left = Left;
            int byMemory = (int)Math.Clamp(left / need.Bytes, 0, int.MaxValue);
            return new SiloRoom(
                Math.Clamp(mostEngines - Engines, 0, byMemory),
                $"a replica takes {need}; {Device} has {Math.Max(0, left) / MiB:N0} MiB left and {Engines} of at most {mostEngines} replicas (Igpt:MaxReplicasPerDevice)");
        }
    }

    /// <summary>Promises memory to an engine that is about to allocate it.</summary>
    /// <param name="need">What it takes.</param>
    /// <param name="canShrink">Whether it takes fewer slots, at least 1, where there is not so much.</param>
    /// <returns>The promise: disposed when the memory is allocated, or will not be.</returns>
    /// <exception cref="IgptException">Unsupported: there is not so much.</exception>
    public MemoryPromise Promise(EngineMemory need, bool canShrink = false)
    {
        lock (_lock)
        {
            if (canShrink && need.Bytes > Left)
            {
                need = need with { Slots = (int)Math.Clamp(need.Slots - ((need.Bytes - Left + need.SlotBytes - 1) / need.SlotBytes), 1, need.Slots) };
            }

            if (need.Bytes > Left)
            {
                throw new IgptException(
                    IgptErrorCode.Unsupported,
                    $"a replica takes {need}, and {Device} has {Math.Max(0, Left) / MiB:N0} MiB left: serve fewer replicas or models, give fewer KV slots (--slots), or a smaller type (--dtype, --kv-dtype)");
            }

            _promised += need.Bytes;
            return new MemoryPromise(need, TakeBack);
        }
    }

    long Left
    {
        get
        {
            (long free, long total) = memory();
            return free - (total / ReserveShare) - _promised;
        }
    }

    void TakeBack(long bytes)
    {
        lock (_lock)
        {
            _promised -= bytes;
        }
    }
}
