namespace IgptCluster.Model;

/// <summary>The weights of one linear layer, [inputs, outputs], in panels of <see cref="TileKernel.Columns"/> outputs, and its bias. Any thread.</summary>
internal sealed unsafe class PanelMatrix : IDisposable
{
    const int ZeroByte = 128;

    readonly AlignedMemory _panels;
    readonly AlignedMemory _bias;
    readonly AlignedMemory _scales; // of each output, with bytes only

    /// <summary>Packs weights.</summary>
    /// <param name="type">How the numbers are kept.</param>
    /// <param name="weights">float32, row by row.</param>
    /// <param name="shape">Inputs and outputs, and whether a row of <paramref name="weights"/> belongs to an input.</param>
    /// <param name="bias">float32 [outputs], or empty.</param>
    internal PanelMatrix(TileType type, ReadOnlySpan<float> weights, (int Inputs, int Outputs, bool InputsFirst) shape, ReadOnlySpan<float> bias)
    {
        (Type, Inputs, Outputs) = (type, shape.Inputs, shape.Outputs);
        Lanes = TileKernel.Lanes(type, Inputs);
        PanelCount = (Outputs + TileKernel.Columns - 1) / TileKernel.Columns;
        _panels = new AlignedMemory(PanelCount * PanelBytes);
        _bias = new AlignedMemory(PaddedOutputs * sizeof(float));
        _scales = new AlignedMemory(type == TileType.Int8 ? PaddedOutputs * sizeof(float) : 0);
        bias.CopyTo(new Span<float>(_bias.Floats, Outputs));
        fixed (float* start = weights)
        {
            (nint address, int inputStep, int outputStep) = ((nint)start, shape.InputsFirst ? Outputs : 1, shape.InputsFirst ? 1 : Inputs);
            Parallel.For(0, Outputs, output => Pack(output, (float*)address + ((long)output * outputStep), inputStep));
        }
    }

    internal TileType Type { get; }

    internal int Inputs { get; }

    internal int Outputs { get; }

    internal int PaddedOutputs => PanelCount * TileKernel.Columns;

    /// <summary>Lanes along the inputs, padded.</summary>
    internal int Lanes { get; }

    internal int PanelCount { get; }

    internal float* Bias => _bias.Floats;

    /// <summary>What a byte counts, for each output.</summary>
    internal float* Scales => _scales.Floats;

    long PanelBytes => (long)Lanes * TileKernel.Columns * sizeof(float);

    internal byte* Panel(int index) => _panels.Start + (index * PanelBytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        _panels.Dispose();
        _bias.Dispose();
        _scales.Dispose();
    }

    void Pack(int output, float* from, int step)
    {
        byte* panel = Panel(output / TileKernel.Columns);
        int column = output % TileKernel.Columns;
        float largest = 0;
        for (int input = 0; input < Inputs && Type == TileType.Int8; input++)
            largest = Math.Max(largest, Math.Abs(from[(long)input * step]));
        float scale = largest / sbyte.MaxValue;
        if (Type == TileType.Int8)
            Scales[output] = scale;
        int perLane = TileKernel.PerLane(Type);
        for (int input = 0; input < Inputs; input++)
        {
            float weight = from[(long)input * step];
            long at = ((((long)(input / perLane) * TileKernel.Columns) + column) * perLane) + (input % perLane);
            switch (Type)
            {
                case TileType.Float32: ((float*)panel)[at] = weight; break;
                case TileType.BFloat16: ((ushort*)panel)[at] = Brain16.Narrow(weight); break;
                default: panel[at] = (byte)(ZeroByte + (int)MathF.Round(largest == 0 ? 0 : weight / scale)); break;
            }
        }
    }
}
