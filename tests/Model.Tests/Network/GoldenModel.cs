using System.Text.Json;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>One model of the golden set with its cases.</summary>
internal sealed class GoldenModel : IDisposable
{
    GoldenModel(string name)
    {
        Name = name;
        Cases = GoldenSet.Json("cases", name, "cases.json").RootElement.GetProperty("cases").Clone();
        Values = GoldenSet.Tensors("cases", name, "cases.safetensors");
        Network = Load(GoldenSet.PathOf("models", name));
    }

    public static IEnumerable<string> Names => Directory.EnumerateDirectories(GoldenSet.PathOf("cases")).Select(folder => Path.GetFileName(folder)!).Order();

    public string Name { get; }

    public JsonElement Cases { get; }

    public GoldenTensors Values { get; }

    public ImageGpt Network { get; private set; }

    public static GoldenModel Open(string name) => new(name);

    public static ImageGpt Load(string folder, Func<ImageGptConfig, ImageGptConfig>? change = null)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        ImageGptConfig config = change is null ? checkpoint.Config : change(checkpoint.Config);
        return new ImageGpt(config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32));
    }

    public IEnumerable<JsonElement> OfKind(string kind) => Cases.EnumerateArray().Where(given => given.GetProperty("kind").GetString() == kind);

    /// <summary>An input of a case; null if it has none of that name.</summary>
    public Tensor? Input(JsonElement given, string name)
    {
        if (!given.GetProperty("inputs").TryGetProperty(name, out JsonElement tensorName))
        {
            return null;
        }

        string key = tensorName.GetString()!;
        return name == "labels" && IsFloat(key)
            ? tensor(Values.Floats(key), Values.Shape(key))
            : tensor(Values.Integers(key), Values.Shape(key));
    }

    public float[]? Expected(JsonElement given, string name) =>
        given.GetProperty("outputs").TryGetProperty(name, out JsonElement tensorName) ? Values.Floats(tensorName.GetString()!) : null;

    public void Dispose() => Network.Dispose();

    bool IsFloat(string key)
    {
        try
        {
            Values.Integers(key);
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }
}

/// <summary>The greatest difference seen, against the tolerance of 1e-4 of the tensor's greatest magnitude.</summary>
internal sealed class Comparison
{
    readonly SortedDictionary<string, double> _worst = [];

    public int Count { get; private set; }

    public static float[] ValuesOf(Tensor tensor) => tensor.to_type(ScalarType.Float32).contiguous().data<float>().ToArray();

    /// <param name="what">What is compared, for the summary.</param>
    /// <param name="where">The case, for the failure.</param>
    /// <param name="expected">Reference values.</param>
    /// <param name="actual">Ours.</param>
    /// <param name="isValid">Which rows of the given width count; null = all.</param>
    /// <param name="width">Values per row.</param>
    public void Check(string what, string where, float[] expected, float[] actual, Func<int, bool>? isValid = null, int width = 1)
    {
        Assert.True(expected.Length == actual.Length, $"{where} {what}: {actual.Length} values, not {expected.Length}");
        double greatest = 0;
        double difference = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (isValid?.Invoke(i / width) ?? true)
            {
                greatest = Math.Max(greatest, Math.Abs(expected[i]));
                difference = Math.Max(difference, float.IsNaN(expected[i]) && float.IsNaN(actual[i]) ? 0 : Math.Abs(expected[i] - (double)actual[i]));
            }
        }

        Assert.True(difference <= 1e-4 * greatest, $"{where} {what}: differs by {difference:E2}, greatest magnitude {greatest:E2}");
        _worst[what] = Math.Max(_worst.GetValueOrDefault(what), difference);
        Count++;
    }

    public void Print(string name) =>
        TestContext.Current.TestOutputHelper!.WriteLine($"{name}: {Count} comparisons, maximum differences {string.Join(", ", _worst.Select(pair => $"{pair.Key} {pair.Value:E2}"))}");
}
