using System.Text.Json;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Model.Tests.Network;

/// <summary>
/// A golden case of a classifier with one output (num_labels 1), whose labels are floats and whose loss is the mean squared error. Made of a case of the bundled classifier: one row of
/// its score matrix gives what Hugging Face stored as that column of its logits.
/// </summary>
sealed class RegressionCase : IDisposable
{
    const string Source = "classifier-65";
    const int Row = 2;

    readonly DirectoryInfo _set = Directory.CreateTempSubdirectory("igpt-test-");

    /// <param name="name">Case of the classifier.</param>
    /// <param name="labelShape">Sizes of the labels, as JSON lists them.</param>
    public RegressionCase(string name, string labelShape)
    {
        var source = new GoldenCase(GoldenSet.Bundled, Source, name);
        float[][] rows = [.. source.Expected("logits").data<float>().ToArray().Chunk((int)source.Shape("logits")[1])];
        float[] logits = [.. rows.Select(row => row[Row])];
        float[] labels = [.. logits.Select((_, row) => 0.75f - (1.5f * row))];
        double loss = logits.Zip(labels, (logit, label) => Math.Pow((double)logit - label, 2)).Average();
        string folder = Directory.CreateDirectory(Path.Combine(_set.FullName, "cases", Source)).FullName;
        var tensors = new Dictionary<string, (string DType, string Shape, byte[] Bytes)>
        {
            ["ids"] = ("I64", string.Join(',', source.Ids("input_ids")!.shape), Bytes(source.Integers("inputs", "input_ids"))),
            ["labels"] = ("F32", labelShape, Bytes(labels)),
            ["logits"] = ("F32", $"{logits.Length}, 1", Bytes(logits)),
            ["loss"] = ("F32", "", Bytes([(float)loss])),
        };
        File.WriteAllText(
            Path.Combine(folder, "cases.json"),
            """{"cases": [{"name": "regression", "kind": "forward", "notes": "", "inputs": {"input_ids": "ids", "labels": "labels"}, "outputs": {"logits": "logits", "loss": "loss"}}]}""");
        Write(Path.Combine(folder, "cases.safetensors"), tensors);
        Case = new GoldenCase(_set.FullName, Source, "regression");
    }

    public GoldenCase Case { get; }

    /// <summary>The classifier with that row alone.</summary>
    public static ImageGpt Network() => GoldenNetwork.LoadBundled(
        Source,
        change: config => config with { Labels = ["value"] },
        replace: (name, weight) => name == WeightLayout.ClassifierHead ? weight.narrow(0, Row, 1).clone() : weight);

    public void Dispose() => _set.Delete(recursive: true);

    static byte[] Bytes<T>(T[] values)
        where T : struct => System.Runtime.InteropServices.MemoryMarshal.AsBytes<T>(values).ToArray();

    static void Write(string path, Dictionary<string, (string DType, string Shape, byte[] Bytes)> tensors)
    {
        int at = 0;
        string entries = string.Join(',', tensors.Select(tensor =>
            $$"""{{JsonSerializer.Serialize(tensor.Key)}}:{"dtype":"{{tensor.Value.DType}}","shape":[{{tensor.Value.Shape}}],"data_offsets":[{{at}},{{at += tensor.Value.Bytes.Length}}]}"""));
        byte[] header = System.Text.Encoding.UTF8.GetBytes($"{{{entries}}}");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. header, .. tensors.Values.SelectMany(tensor => tensor.Bytes)]);
    }
}
