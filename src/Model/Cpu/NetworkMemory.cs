using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Model.Cpu;

/// <summary>All weights of a <see cref="CpuNetwork"/> in one block of memory, read from their files by all processors, each weight by one of them.</summary>
internal sealed unsafe class NetworkMemory : IDisposable
{
    const int Alignment = 64;

    readonly List<Part> _parts = [];
    AlignedMemory? _memory;

    /// <summary>A stretch of it.</summary>
    internal abstract class Part
    {
        /// <summary>Where it lies, a multiple of 64; nowhere before it is loaded.</summary>
        internal byte* Start { get; set; }

        /// <summary>How long it is.</summary>
        internal abstract long Bytes { get; }

        /// <summary>Reads it, every byte of it.</summary>
        internal abstract void Load(IWeightSource source);
    }

    /// <summary>Reserves room.</summary>
    internal T Add<T>(T part)
        where T : Part
    {
        _parts.Add(part);
        return part;
    }

    /// <summary>Allocates the block and reads everything.</summary>
    /// <param name="source">The weights.</param>
    /// <param name="progress">Told the share that is there, 0 … 1, by any thread.</param>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read or was written to meanwhile.</exception>
    internal void Load(IWeightSource source, IProgress<double>? progress)
    {
        long total = _parts.Sum(part => Padded(part.Bytes));
        _memory = new AlignedMemory(total, isZeroed: false);
        byte* next = _memory.Start;
        foreach (Part part in _parts)
        {
            part.Start = next;
            next += Padded(part.Bytes);

            // Read by whole vectors, and multiplied by zeros: what is no number there would reach results.
            new Span<byte>(part.Start + part.Bytes, (int)(Padded(part.Bytes) - part.Bytes)).Clear();
        }

        long done = 0;
        var options = new ParallelOptions { MaxDegreeOfParallelism = source.IsShared ? Environment.ProcessorCount : 1 };
        try
        {
            Parallel.ForEach(_parts, options, part =>
            {
                part.Load(source);
                progress?.Report(Interlocked.Add(ref done, Padded(part.Bytes)) / (double)total);
            });
            source.RequireUnchanged();
        }
        catch (AggregateException failures) when (failures.InnerExceptions[0] is CheckpointException first)
        {
            throw new CheckpointException(first.Message, first);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory?.Dispose();

    static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}
