using System.Text.Json;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Parity;

/// <summary>One case of the golden set (tests/golden/README.md).</summary>
/// <param name="json">Its entry in cases.json.</param>
/// <param name="tensors">The values of all cases of its model.</param>
internal sealed class ParityCase(JsonElement json, GoldenTensors tensors)
{
    internal string Kind => json.GetProperty("kind").GetString()!;

    internal string Name => json.GetProperty("name").GetString()!;

    internal int Number(string name) => json.GetProperty(name).GetInt32();

    internal int[] Numbers(string name) => [.. json.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];

    internal bool HasInput(string name) => json.GetProperty("inputs").TryGetProperty(name, out _);

    internal bool HasOutput(string name) => json.GetProperty("outputs").TryGetProperty(name, out _);

    /// <summary>An input of whole numbers, int64 [B, T], on the CPU; null where the case has none of that name.</summary>
    internal Tensor? Input(string name) => HasInput(name) ? tensor(tensors.Integers(Stored("inputs", name))).reshape(tensors.Shape(Stored("inputs", name))) : null;

    /// <summary>An output, float32, on the CPU.</summary>
    internal Tensor Output(string name) => tensor(tensors.Floats(Stored("outputs", name))).reshape(tensors.Shape(Stored("outputs", name)));

    internal float[] Floats(string output) => tensors.Floats(Stored("outputs", output));

    internal long[] Integers(string output) => tensors.Integers(Stored("outputs", output));

    /// <summary>Rows of whole numbers of an input or output [B, T].</summary>
    internal int[][] Rows(string section, string name)
    {
        string stored = Stored(section, name);
        return [.. tensors.Integers(stored).Select(id => (int)id).Chunk((int)tensors.Shape(stored)[1])];
    }

    string Stored(string section, string name) => json.GetProperty(section).GetProperty(name).GetString()!;
}
