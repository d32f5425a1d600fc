using BenchmarkDotNet.Attributes;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;

namespace IgptCluster.Microbenchmarks;

/// <summary>One linear layer of ImageGPT-small's MLP, 512 to 2,048, on one thread, its weights in the outer caches: 2.1 MFLOP a row.</summary>
public unsafe class ProductBenchmarks
{
    const int Inputs = 512;
    const int Outputs = 2048;

    NetworkMemory _memory = null!;
    PanelMatrix _matrix = null!;
    RowBuffer _rows = null!;
    AlignedMemory _result = null!;

    [Params("Float32", "BFloat16", "Int8")]
    public string Type { get; set; } = "";

    [Params(1, 8, 32)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        TileType type = Enum.Parse<TileType>(Type);
        _memory = new NetworkMemory();
        _matrix = _memory.Add(new PanelMatrix(type, new LinearShape("weight", null, Inputs, Outputs, InputsFirst: true)));
        _memory.Load(new RandomSource(), progress: null);
        _rows = new RowBuffer(type, Rows, Inputs);
        _result = new AlignedMemory((long)Rows * Outputs * sizeof(float));
        float[] row = new float[Inputs];
        new RandomSource().Read("row", 0, row);
        fixed (float* start = row)
        {
            for (int index = 0; index < Rows; index++)
                _rows.Write(index, start);
        }
    }

    [Benchmark]
    public void Product()
    {
        for (int panel = 0; panel < _matrix.PanelCount; panel++)
            PanelProduct.Run(_matrix, panel, _rows, Rows, new StoreEpilogue(_result.Floats, Outputs));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _memory.Dispose();
        _rows.Dispose();
        _result.Dispose();
    }
}

/// <summary>Numbers from −1 to 1.</summary>
internal sealed class RandomSource : IWeightSource
{
    public bool IsShared => true;

    public void Read(string name, long start, Span<float> values)
    {
        var random = new Random(name.Length + (int)start);
        foreach (ref float value in values)
            value = (random.NextSingle() * 2) - 1;
    }
}
