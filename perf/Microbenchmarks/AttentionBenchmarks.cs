using BenchmarkDotNet.Attributes;
using IgptCluster.Model;
using IgptCluster.Model.Cpu;

namespace IgptCluster.Microbenchmarks;

/// <summary>Attention of one head of 64 over a slot with 512 positions, on one thread, the cache in the nearest caches.</summary>
public unsafe class AttentionBenchmarks
{
    const int HeadSize = 64;
    const int Position = 512;
    const int Stride = HeadSize * sizeof(float);

    KvArena _arena = null!;
    SlotAttention _attention = null!;
    AlignedMemory _numbers = null!;
    AlignedMemory _mixed = null!;

    [Params("Float32", "BFloat16", "Int8")]
    public string Cache { get; set; } = "";

    [Params(1, 32)]
    public int Queries { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var config = new ImageGptConfig { EmbeddingSize = HeadSize, HeadCount = 1, LayerCount = 1 };
        _arena = new KvArena(new KvLayout(Enum.Parse<TileType>(Cache), config), config, slots: 1);
        _attention = new SlotAttention(_arena, config.PositionCount);
        _numbers = new AlignedMemory((Position + Queries) * Stride);
        _mixed = new AlignedMemory(Queries * Stride);
        new RandomSource().Read("numbers", 0, new Span<float>(_numbers.Floats, (Position + Queries) * HeadSize));
        _arena.Write(new KvPlace(0, 0, 0), 0, Position + Queries, new KeyValueRows((nint)_numbers.Start, (nint)_numbers.Start, Stride));
    }

    [Benchmark]
    public void Attend() => _attention.Run(
        new KvPlace(0, 0, 0), 0.125f, new QueryRows((nint)_numbers.Start, Stride, Position, Queries), new MixedRows(TileType.Float32, (nint)_mixed.Start, Stride));

    [GlobalCleanup]
    public void Cleanup()
    {
        _attention.Dispose();
        _arena.Dispose();
        _numbers.Dispose();
        _mixed.Dispose();
    }
}
