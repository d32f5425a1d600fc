using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Model.Cpu;

/// <summary>A weight that is kept in float32 as it is: embeddings and norms. Any thread.</summary>
/// <param name="name">The weight.</param>
/// <param name="count">Number of values.</param>
internal sealed unsafe class FloatVector(string name, int count) : NetworkMemory.Part
{
    internal float* Floats => (float*)Start;

    internal override long Bytes => (long)count * sizeof(float);

    internal override void Load(IWeightSource source) => source.Read(name, 0, new Span<float>(Start, count));
}
