using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Model.Cpu;

/// <summary>Names and shape of a linear layer.</summary>
/// <param name="Weight">Name of the matrix.</param>
/// <param name="Bias">Name of the bias; null for none.</param>
/// <param name="Inputs">Inputs.</param>
/// <param name="Outputs">Outputs.</param>
/// <param name="InputsFirst">Whether a row of the stored matrix belongs to an input (Conv1D), not to an output.</param>
internal sealed record LinearShape(string Weight, string? Bias, int Inputs, int Outputs, bool InputsFirst);

/// <summary>The weights of one linear layer, [inputs, outputs], in panels of <see cref="TileKernel.Columns"/> outputs, and its bias. Any thread.</summary>
/// <param name="type">How the numbers are kept.</param>
/// <param name="shape">What they are.</param>
internal sealed unsafe class PanelMatrix(TileType type, LinearShape shape) : NetworkMemory.Part
{
    internal TileType Type => type;

    internal int Inputs => shape.Inputs;

    internal int Outputs => shape.Outputs;

    internal int PaddedOutputs { get; } = (shape.Outputs + TileKernel.Columns - 1) / TileKernel.Columns * TileKernel.Columns;

    /// <summary>Lanes along the inputs, padded.</summary>
    internal int Lanes { get; } = TileKernel.Lanes(type, shape.Inputs);

    internal int PanelCount => PaddedOutputs / TileKernel.Columns;

    /// <summary>float32 [padded outputs], behind the panels.</summary>
    internal float* Bias => (float*)(Start + (PanelCount * PanelBytes));

    /// <summary>What a byte counts, for each output; there with bytes only, behind the bias.</summary>
    internal float* Scales => Bias + PaddedOutputs;

    internal override long Bytes => (PanelCount * PanelBytes) + ((long)OutputNumbers * sizeof(float));

    // Biases, and scales if there are any.
    int OutputNumbers => PaddedOutputs * (type == TileType.Int8 ? 2 : 1);

    long PanelBytes => (long)Lanes * TileKernel.Columns * sizeof(float);

    internal byte* Panel(int index) => Start + (index * PanelBytes);

    internal override void Load(IWeightSource source)
    {
        new Span<float>(Bias, OutputNumbers).Clear();
        if (shape.Bias is { } name)
        {
            source.Read(name, 0, new Span<float>(Bias, Outputs));
        }

        if (shape.InputsFirst)
        {
            new PanelPacking(this, source, shape.Weight).PackRows();
        }
        else
        {
            new PanelPacking(this, source, shape.Weight).PackColumns();
        }
    }
}
