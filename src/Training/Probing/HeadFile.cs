using System.Text.Json;
using IgptCluster.Files;
using IgptCluster.Training.Data;

namespace IgptCluster.Training.Probing;

/// <summary>
/// A head as a file: the JSON form of the protocol's <c>PutHeadRequest</c>, which <c>igpt models put-head</c> sends and a checkpoint's <c>heads/</c>
/// folder holds.
/// </summary>
/// <param name="Head">Name to serve it by.</param>
/// <param name="Layer">Hidden state it reads: 0 = embeddings, n_layer = after the final norm.</param>
/// <param name="Labels">Names of the classes.</param>
/// <param name="Weight">[labels, n_embd] row by row.</param>
/// <param name="Bias">[labels].</param>
internal sealed record HeadFile(string Head, int Layer, IReadOnlyList<string> Labels, float[] Weight, float[] Bias)
{
    const int MaxBytes = 512 << 20; // as the silo reads

    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>The classifier in it.</summary>
    internal LinearClassifier Classifier => new(Weight, Bias, Weight.Length / Labels.Count);

    /// <summary>Writes it.</summary>
    internal void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Reads one that fits a network.</summary>
    /// <param name="path">The file.</param>
    /// <param name="layers">The network's n_layer.</param>
    /// <param name="width">Its n_embd.</param>
    /// <exception cref="DataException">It is no head file, or of another network.</exception>
    /// <exception cref="UserFileException">It is no regular file, or cannot be read.</exception>
    internal static HeadFile Read(string path, int layers, int width)
    {
        HeadFile? head;
        string json = UserFile.ReadText(path, MaxBytes);
        try
        {
            head = JsonSerializer.Deserialize<HeadFile>(json, Json);
        }
        catch (JsonException failure)
        {
            throw new DataException($"{path}: must be a head file as igpt-train probe writes it: {IncompleteFile.JsonFault(json, failure)}", failure);
        }

        if (head is not { Head.Length: > 0, Labels.Count: > 0, Weight: not null })
            throw new DataException($"{path}: a head file has head, layer, labels and weight");
        if (head.Layer < 0 || head.Layer > layers || head.Weight.Length != head.Labels.Count * width)
            throw new DataException($"{path}: must read a layer 0 to {layers} of width {width}; given layer {head.Layer} and {head.Weight.Length} weights of {head.Labels.Count} classes: it was learned on another network");
        return head with { Bias = head.Bias is { Length: > 0 } bias ? bias : new float[head.Labels.Count] };
    }
}
